//! A git server of a test: one repository over HTTP, or over HTTPS with a certificate of its own and a password.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::repository::answers;

/// What a client asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Method and path.
    pub line: String,
    /// The header.
    pub authorization: Option<String>,
    /// What it sent.
    pub body: String,
}

/// A running server. It ends with the test's process.
pub struct GitServer {
    /// Host and port.
    pub address: String,
    /// Certificate of the server in PEM, if it speaks TLS.
    pub certificate: Option<String>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl GitServer {
    /// Without TLS; everybody may read.
    pub fn open(repository: PathBuf) -> Self {
        Self::start(repository, None, None)
    }

    /// With TLS, for whoever sends this `Authorization`.
    pub fn guarded(repository: PathBuf, authorization: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let server = Self::start(repository, Some(Arc::new(config)), Some(authorization.to_owned()));
        Self { certificate: Some(made.cert.pem()), ..server }
    }

    /// What was asked for so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn start(repository: PathBuf, tls: Option<Arc<rustls::ServerConfig>>, password: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = |asked: &Asked| answer(asked, &repository, password.as_deref());
                // A client that breaks off is no fault of the test.
                let _done = match &tls {
                    None => serve(stream, &seen, answer),
                    Some(config) => {
                        let connection = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                        serve(rustls::StreamOwned::new(connection, stream), &seen, answer)
                    }
                };
            }
        });
        Self { address, certificate: None, asked }
    }
}

/// One request and its answer.
fn serve(
    stream: impl Read + Write,
    seen: &Mutex<Vec<Asked>>,
    answer: impl Fn(&Asked) -> Vec<u8>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut asked = Asked::default();
    stream.read_line(&mut asked.line)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => asked.authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    asked.body = String::from_utf8(body).unwrap();
    let said = answer(&asked);
    seen.lock().unwrap().push(asked);
    let stream = stream.get_mut();
    stream.write_all(&said)?;
    stream.flush()
}

fn answer(asked: &Asked, repository: &std::path::Path, password: Option<&str>) -> Vec<u8> {
    let mut words = asked.line.split_whitespace().skip(1);
    let path = words.next().unwrap_or_default();
    let of = |status: &str, header: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 {status}\r\n{header}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    if password.is_some_and(|password| asked.authorization.as_deref() != Some(password)) {
        return of("401 Unauthorized", "www-authenticate: Basic realm=\"git\"", b"");
    }
    match path {
        "/old/fleet/info/refs?service=git-upload-pack" => {
            of("301 Moved Permanently", "location: /fleet.git/info/refs?service=git-upload-pack", b"")
        }
        "/fleet.git/info/refs?service=git-upload-pack" => {
            let body =
                [b"001e# service=git-upload-pack\n0000".as_slice(), &answers(repository).advertisement]
                    .concat();
            of("200 OK", "content-type: application/x-git-upload-pack-advertisement", &body)
        }
        "/fleet.git/git-upload-pack" => {
            of("200 OK", "content-type: application/x-git-upload-pack-result", &answers(repository).pack)
        }
        "/page/info/refs?service=git-upload-pack" => of("200 OK", "content-type: text/html", b"<html>"),
        _ => of("404 Not Found", "content-type: text/plain", b"no"),
    }
}
