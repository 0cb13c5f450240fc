//! Whom we trust and who we are: certificates of a TLS connection, rustls with ring.
//!
//! Texts in PEM form come in, files are somebody else's. The system's own roots are read at each connection,
//! so that one that was installed meanwhile counts.

use crate::fault::{Fault, TlsFault};
use std::fmt;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Whom we trust and who we are. By default whom the system trusts, and nobody in particular.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// `None`: whom the system trusts.
    authorities: Option<Vec<CertificateDer<'static>>>,
    identity: Option<Arc<Identity>>,
}

#[derive(PartialEq, Eq)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why a text is not what TLS needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No `BEGIN CERTIFICATE`, or not what follows it.
    #[error("expected a certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    Certificate,
    /// It is PEM, and no certificate.
    #[error("what it says is no certificate: {0}")]
    Broken(String),
    /// No `BEGIN PRIVATE KEY`, or not what follows it.
    #[error("expected a private key in PEM form (-----BEGIN PRIVATE KEY-----)")]
    Key,
    /// A key behind a passphrase, which nobody could type here.
    #[error(
        "expected a key without a passphrase: openssl pkey -in FILE -out OTHER, readable by mtom alone"
    )]
    Encrypted,
    /// The key does not belong to the certificate, or is of a kind that TLS does not use.
    #[error("the key and the certificate do not go together: {0}")]
    Pair(String),
}

impl Tls {
    /// Trusts those who are signed by one of the certificates in `pem`, and nobody else.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn trusting(self, pem: &str) -> Result<Self, PemError> {
        let authorities = certificates(pem)?;
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            let added = roots.add(authority.clone());
            added.map_err(|error| PemError::Broken(error.to_string()))?;
        }
        Ok(Self { authorities: Some(authorities), ..self })
    }

    /// Shows the certificate in `pem`, with those that signed it, and proves it with the key in `key_pem`.
    ///
    /// # Errors
    /// [`PemError`].
    pub fn identified(self, pem: &str, key_pem: &str) -> Result<Self, PemError> {
        let chain = certificates(pem)?;
        if key_pem.contains("ENCRYPTED") {
            return Err(PemError::Encrypted);
        }
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| PemError::Key)?;
        let identified = Self { identity: Some(Arc::new(Identity { chain, key })), ..self };
        match identified.config(RootCertStore::empty()) {
            Ok(_) => Ok(identified),
            Err(error) => Err(PemError::Pair(error.to_string())),
        }
    }

    pub(crate) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    pub(crate) fn has_authorities(&self) -> bool {
        self.authorities.is_some()
    }

    pub(crate) async fn connector(&self) -> Result<TlsConnector, Fault> {
        let mut roots = RootCertStore::empty();
        // One that cannot be read is one that is not trusted.
        let (count, _) = match &self.authorities {
            Some(authorities) => roots.add_parsable_certificates(authorities.iter().cloned()),
            None => roots.add_parsable_certificates(of_system().await),
        };
        if count == 0 {
            return Err(Fault::Tls(TlsFault::NobodyTrusted));
        }
        let config = self.config(roots);
        let config = config.map_err(|error| Fault::Tls(TlsFault::Other(error.to_string())))?;
        Ok(TlsConnector::from(Arc::new(config)))
    }

    fn config(&self, roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        match self.identity.as_deref() {
            Some(Identity { chain, key }) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key())
            }
            None => Ok(builder.with_no_client_auth()),
        }
    }
}

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("authorities", &self.authorities.as_ref().map(Vec::len))
            .field("has_identity", &self.has_identity())
            .finish_non_exhaustive()
    }
}

async fn of_system() -> Vec<CertificateDer<'static>> {
    // It reads many files.
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    found.map(|found| found.certs).unwrap_or_default()
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(PemError::Certificate),
    }
}

#[cfg(test)]
mod tests;
