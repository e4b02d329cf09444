//! The object storage that the clusters share: an S3 server over a folder.

use std::sync::Arc;

use super::process::{RunDirectory, ServerProcess, free_port, program};

/// Access key of whoever uses the storage.
pub const ACCESS_KEY: &str = "AKIATEST";
/// Its secret.
pub const SECRET_KEY: &str = "c2ecret";

/// A running S3 server.
#[derive(Debug)]
pub struct ObjectStorage {
    port: u16,
    folder: std::path::PathBuf,
    _process: ServerProcess,
}

impl ObjectStorage {
    /// Starts it with empty buckets, and waits until it listens.
    pub async fn start(run: &Arc<RunDirectory>, buckets: &[&str]) -> Self {
        let port = free_port();
        let folder = run.folder("buckets");
        for bucket in buckets {
            std::fs::create_dir_all(folder.join(bucket)).unwrap();
        }
        let mut process = ServerProcess::start(
            &program("versitygw"),
            &[
                "--port".to_owned(),
                format!("127.0.0.1:{port}"),
                "posix".to_owned(),
                folder.display().to_string(),
            ],
            &[("ROOT_ACCESS_KEY", ACCESS_KEY.to_owned()), ("ROOT_SECRET_KEY", SECRET_KEY.to_owned())],
            &run.file("s3.log"),
        );
        process.listens(port).await;
        Self { port, folder, _process: process }
    }

    /// Takes a bucket away, with all that is in it.
    pub fn lose(&self, bucket: &str) {
        std::fs::remove_dir_all(self.folder.join(bucket)).unwrap();
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
