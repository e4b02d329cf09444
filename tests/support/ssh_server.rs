//! A git server of a test over SSH: one repository, for one key.

use std::path::PathBuf;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData, RsaKeypair};
use russh::keys::{PrivateKey, PublicKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId};

use super::repository::answers;

/// A key that signs and logs in, another one for each seed.
pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "test").unwrap()
}

/// The same of RSA.
pub fn rsa_key(seed: u8) -> PrivateKey {
    let pair = RsaKeypair::random(&mut ChaCha20Rng::from_seed([seed; 32]), 2048).unwrap();
    PrivateKey::new(KeypairData::Rsa(pair), "test").unwrap()
}

/// A private key as a person has it in a file.
pub fn in_a_file(key: &PrivateKey) -> String {
    key.to_openssh(LineEnding::LF).unwrap().to_string()
}

/// A public key as it stands in `allowed_signers` and `known_hosts`.
pub fn public(key: &PrivateKey) -> String {
    key.public_key().to_openssh().unwrap()
}

/// A private key as a person has it in a file.
pub fn identity(seed: u8) -> String {
    in_a_file(&key(seed))
}

/// The line of a host in `known_hosts`.
pub fn known_host(port: u16, seed: u8) -> String {
    format!("[localhost]:{port} {}\n", public(&key(seed)))
}

/// Starts one whose own key has the seed `host`, for who has the key of the seed `guest`; answers its port.
pub async fn serve(repository: PathBuf, host: u8, guest: u8) -> u16 {
    serve_with(repository, key(host), &key(guest)).await
}

/// The same with keys of any kind.
pub async fn serve_with(repository: PathBuf, host: PrivateKey, guest: &PrivateKey) -> u16 {
    let config = Arc::new(server::Config { keys: vec![host], ..server::Config::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let guest = guest.public_key().clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handler = Guard { repository: repository.clone(), guest: guest.clone() };
            if let Ok(session) = server::run_stream(Arc::clone(&config), stream, handler).await {
                tokio::spawn(async move {
                    // A client that breaks off is no fault of the test.
                    let _ended = session.await;
                });
            }
        }
    });
    port
}

struct Guard {
    repository: PathBuf,
    guest: PublicKey,
}

impl server::Handler for Guard {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let known = user == "git" && key.public_key.key_data() == self.guest.key_data();
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        if command == b"git-upload-pack '/fleet.git'" {
            return session.data(channel, answers(&self.repository).advertisement);
        }
        session.exit_status_request(channel, 128)?;
        session.close(channel)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if data != b"0000" {
            session.data(channel, answers(&self.repository).pack)?;
        }
        session.eof(channel)?;
        session.close(channel)
    }
}
