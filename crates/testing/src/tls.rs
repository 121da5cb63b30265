//! A listener that speaks TLS, for a server of a test's own.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};

use crate::CertificateAuthority;

/// Takes connections whose handshake succeeds, for [`axum::serve()`].
pub struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    /// With a certificate of this authority.
    pub fn new(listener: TcpListener, authority: &CertificateAuthority) -> anyhow::Result<Self> {
        Self::with(listener, authority, None)
    }

    /// With a certificate of this authority, of which whoever connects must show one, too.
    pub fn mutual(listener: TcpListener, authority: &CertificateAuthority) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes())?)?;
        Self::with(listener, authority, Some(roots))
    }

    fn with(
        listener: TcpListener,
        authority: &CertificateAuthority,
        clients: Option<RootCertStore>,
    ) -> anyhow::Result<Self> {
        let provider = Arc::new(default_provider());
        let config =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let config = match clients {
            Some(roots) => config.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
            ),
            None => config.with_no_client_auth(),
        };
        let own = authority.server()?;
        let mut config = config.with_single_cert(
            vec![CertificateDer::from_pem_slice(own.certificate.as_bytes())?],
            PrivateKeyDer::from_pem_slice(own.key.as_bytes())?,
        )?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, addr) = axum::serve::Listener::accept(&mut self.listener).await;
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, addr);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
