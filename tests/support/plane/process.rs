//! A server program: started with a log of its own, killed by its process id, gone when dropped.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// How long a server may take until it answers, on a busy machine.
pub const START: Duration = Duration::from_secs(60);
/// Between two questions whether it answers yet.
pub const ASK: Duration = Duration::from_millis(100);
/// Lines of each log that a failing test shows.
const SHOWN: usize = 40;
/// Below the ports that the kernel gives to outgoing connections, so that none of these takes one meanwhile.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Where the programs of the plane lie; panics, saying what to do, where one is missing.
pub fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plane/bin").join(name);
    assert!(path.exists(), "{} is missing: build the test plane with `make plane`", path.display());
    path
}

/// A port of loopback that nothing listens on.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test processes at a time begin far from each other.
    let first = std::process::id().wrapping_mul(7919);
    let span = PORTS.end - PORTS.start;
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = first.wrapping_add(u32::from(step)) % u32::from(span);
        let port = PORTS.start + u16::try_from(offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port in {PORTS:?}");
}

/// What one stage leaves on disk: data and logs. Removed with the stage, kept and shown when the test fails.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// A new one under `target/plane/run`.
    pub fn new() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/plane/run")
            .join(format!("{test}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    /// A folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn show_logs(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return;
        };
        let mut logs: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension() == Some(OsStr::new("log")))
            .collect();
        logs.sort();
        for log in logs {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- the end of {} ---", log.display());
            for line in &lines[lines.len().saturating_sub(SHOWN)..] {
                eprintln!("{line}");
            }
        }
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("failed to remove {}: {error}", self.path.display());
        }
    }
}

/// A running program.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    name: String,
}

impl ServerProcess {
    /// Starts a program of the plane; what it says is appended to `log`.
    pub fn start(program: &Path, arguments: &[String], environment: &[(&str, String)], log: &Path) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output = File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", log.parent().unwrap())
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {}: {error}", program.display()));
        Self { child, name }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Panics when it has ended by itself.
    pub fn assert_runs(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended by itself: {status}", self.name);
        }
    }

    /// Waits until it listens at a port of loopback. It is a program of others: it can only be asked from time to time.
    pub async fn listens(&mut self, port: u16) {
        let listening = async {
            let mut asked = tokio::time::interval(ASK);
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                asked.tick().await;
                self.assert_runs();
            }
        };
        assert!(tokio::time::timeout(START, listening).await.is_ok(), "nothing listens at {port}");
    }

    /// Kills it (SIGKILL), then the processes that it had started and that would outlive it: Velero's plugins do. Waits until
    /// it is gone.
    pub fn kill(&mut self) {
        let children = if self.ended().is_none() { children_of(self.child.id()) } else { Vec::new() };
        // An error says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !children.is_empty() {
            // Those that ended with it make this fail, which is as well.
            let _ = Command::new("sh")
                .args(["-c", "kill -KILL \"$@\"", "sh"])
                .args(children.iter().map(ToString::to_string))
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// The processes that a process has started, as `/proc` tells.
fn children_of(parent: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|process| {
            // `pid (name) state parent ...`; the name may hold anything.
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
            after_name.split_whitespace().nth(1).and_then(|text| text.parse().ok()) == Some(parent)
        })
        .collect()
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
