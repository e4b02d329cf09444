//! Serving over TLS, with a certificate that may be replaced while it is in use.
//!
//! Takes connections and certificates; gives streams. Must not touch: what is said over them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::adapters::hub::webhook::ServingCertificate;

/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How many clients may be doing so.
const HANDSHAKES: usize = 64;
/// How long to wait when no connection can be taken: the process has too many files open.
const PAUSE: Duration = Duration::from_secs(1);

/// A certificate that cannot be served with. The text shows none of it.
#[derive(Debug, Error)]
pub(super) enum ServeError {
    /// The PEM holds something else.
    #[error("failed to serve with the certificate: it or its key is not in PEM")]
    NotPem,
    /// The two do not go together.
    #[error("failed to serve with the certificate: {0}")]
    Mismatch(rustls::Error),
    /// TLS cannot be set up at all.
    #[error("failed to set up TLS: {0}")]
    Setup(rustls::Error),
}

/// The certificate that is served with; none at first, and then every handshake fails.
#[derive(Default)]
pub(super) struct Served(RwLock<Option<Arc<CertifiedKey>>>);

impl fmt::Debug for Served {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Served")
    }
}

impl Served {
    /// From now on this one.
    pub(super) fn set(&self, certificate: &ServingCertificate) -> Result<(), ServeError> {
        let chain = CertificateDer::pem_slice_iter(certificate.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| ServeError::NotPem)?;
        let key = PrivateKeyDer::from_pem_slice(certificate.key.expose_secret().as_bytes())
            .map_err(|_| ServeError::NotPem)?;
        let certified = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
            .map_err(ServeError::Mismatch)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
        Ok(())
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A listener that hands out connections over which TLS is spoken. One client that dawdles keeps no other waiting.
pub(super) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub(super) fn new(tcp: TcpListener, served: Arc<Served>) -> Result<Self, ServeError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(ServeError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(served);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tcp, acceptor: TlsAcceptor::from(Arc::new(config)), handshakes: JoinSet::new() })
    }

    fn shake_hands(&mut self, stream: TcpStream, from: SocketAddr) {
        let handshake = self.acceptor.accept(stream);
        self.handshakes.spawn(async move {
            match tokio::time::timeout(HANDSHAKE, handshake).await {
                Ok(Ok(stream)) => Some((stream, from)),
                Ok(Err(error)) => {
                    tracing::debug!(%from, %error, "a client of the webhook could not agree on TLS");
                    None
                }
                Err(_) => {
                    tracing::debug!(%from, "a client of the webhook took too long to agree on TLS");
                    None
                }
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                taken = self.tcp.accept(), if self.handshakes.len() < HANDSHAKES => match taken {
                    Ok((stream, from)) => self.shake_hands(stream, from),
                    Err(error) => {
                        tracing::warn!(%error, "the webhook cannot take connections, trying again");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
