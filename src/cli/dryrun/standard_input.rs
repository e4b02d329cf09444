//! Standard input: read where it is named, and where something is piped in without being named.

use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::adapters::source::Text;

/// How long a pipe that nobody named may keep silent. Who starts the command may have left it open without a writer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What standard input held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piped {
    /// A text, maybe an empty one.
    Text(Text),
    /// Nothing is connected to it.
    Nothing,
    /// It is a pipe that says nothing.
    Silent,
}

/// Reads it: to its end where it is `named`, and otherwise if it is a file, or a pipe in which something soon arrives.
pub(super) async fn read(named: bool) -> std::io::Result<Piped> {
    let stdin = tokio::io::stdin();
    if named {
        return whole(stdin, None).await;
    }
    let Ok(metadata) = tokio::fs::metadata("/dev/stdin").await else { return Ok(Piped::Nothing) };
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_fifo() { whole(stdin, Some(PATIENCE)).await } else { Ok(Piped::Nothing) }
}

async fn whole(mut from: impl AsyncRead + Unpin, patience: Option<Duration>) -> std::io::Result<Piped> {
    let mut bytes = vec![0; 8192];
    let first = match patience {
        None => from.read(&mut bytes).await?,
        Some(patience) => match tokio::time::timeout(patience, from.read(&mut bytes)).await {
            Ok(first) => first?,
            Err(_) => return Ok(Piped::Silent),
        },
    };
    bytes.truncate(first);
    if first > 0 {
        from.read_to_end(&mut bytes).await?;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Piped::Text(Text { path: "-".to_owned(), text })),
        Err(error) => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_pipe_that_says_nothing_is_not_waited_for() {
        let (_open, from) = tokio::io::duplex(16);
        assert_eq!(whole(from, Some(Duration::from_millis(1))).await.unwrap(), Piped::Silent);
    }

    #[tokio::test]
    async fn what_is_piped_is_read_to_its_end() {
        let (mut into, from) = tokio::io::duplex(4);
        let writer = async move {
            into.write_all(b"kind: Pod").await.unwrap();
        };
        let (read, ()) = tokio::join!(whole(from, Some(PATIENCE)), writer);
        assert_eq!(read.unwrap(), Piped::Text(Text { path: "-".to_owned(), text: "kind: Pod".to_owned() }));
    }
}
