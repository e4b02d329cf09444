//! The built `flotilla` as a person runs it: arguments in, exit code and output out.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test reads and writes files and measures its patience")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// Path of the binary.
pub const FLOTILLA: &str = env!("CARGO_BIN_EXE_flotilla");

/// What a command came to.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Panics with the output unless the exit code is the expected one.
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Stdout as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    /// The lines of stderr that begin with this word.
    pub fn lines(&self, word: &str) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with(word)).collect()
    }
}

fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(FLOTILLA);
    command.args(arguments).env_remove("RUST_LOG").env_remove("KUBECONFIG").env("HOME", "/nonexistent");
    command
}

/// Runs a command to its end.
pub fn flotilla<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    flotilla_with_input(arguments, "")
}

/// Runs a command to its end, with something on its standard input.
pub fn flotilla_with_input<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, input: &str) -> Ended {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A process that keeps running, and its lines. Killed when dropped.
pub struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    seen: Vec<String>,
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Running {
    /// Starts it.
    pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut child = command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr, seen: Vec::new() }
    }

    /// Waits for a line on stdout.
    pub fn says(&mut self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.stdout.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if condition(&line) => return line,
                Ok(line) => self.seen.push(line),
                Err(end) => self.never(what, end),
            }
        }
    }

    /// Waits for a line on stderr.
    pub fn logs(&mut self, part: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.stderr.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => self.seen.push(line),
                Err(end) => self.never(part, end),
            }
        }
    }

    fn never(&mut self, what: &str, end: RecvTimeoutError) -> ! {
        self.seen.extend(self.stderr.try_iter());
        panic!("waited for {what}: {end}; it said:\n{}", self.seen.join("\n"));
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self, signal: &str) -> ExitStatus {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A stand-in fleet in a process of its own.
pub struct Fleet {
    pub process: Running,
    directory: tempfile::TempDir,
}

impl Fleet {
    /// Starts it and waits until it is ready.
    pub fn start(clusters: usize, minute: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display().to_string();
        let clusters = clusters.to_string();
        let mut process =
            Running::start(["sim", "--clusters", &clusters, "--dir", &path, "--minute", minute]);
        process.says("ready", |line| line == "ready");
        Self { process, directory }
    }

    /// Path of a kubeconfig.
    pub fn kubeconfig(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.kubeconfig"))
    }

    /// Path of the hub's kubeconfig as text.
    pub fn hub(&self) -> String {
        self.kubeconfig("hub").display().to_string()
    }
}

/// `GET`: status and body.
pub fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}

/// Writes a file into a directory and gives its path as text.
pub fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A file or directory of the project.
pub fn project(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

/// A file of others' data, where it is present.
pub fn shared_data(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    path.exists().then_some(path)
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
