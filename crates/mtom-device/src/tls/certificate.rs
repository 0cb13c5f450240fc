//! Whether the other end is the broker: its certificate, and that it has the certificate's key.

use crate::tls::{CERTIFICATE_LEN_MAX, TlsError};
use core::time::Duration;
use embedded_tls::{
    Aes128GcmSha256, CertificateEntryRef, CertificateRef, CertificateVerifyRef, CryptoProvider,
    CryptoRngCore, Sha256, SignatureScheme, TlsError as Inner, TlsVerifier,
};
use heapless::Vec;
use mtom_protocol::time::UnixMicros;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::signature::digest::Digest as _;
use p256::ecdsa::{Signature, VerifyingKey};
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, TrustAnchor, UnixTime, alg_id,
};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

/// How many certificates between the broker's and the CA's are looked at, the CA's own among them.
const ISSUERS_MAX: usize = 4;
/// No device of ours ran before 2024-01-01T00:00:00Z.
const EARLIEST: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_704_067_200));

/// What embedded-tls asks for: random numbers and a verdict.
pub(super) struct Provider<'a, R> {
    pub(super) rng: R,
    pub(super) checker: Checker<'a>,
}

impl<R: CryptoRngCore> CryptoProvider for Provider<'_, R> {
    type CipherSuite = Aes128GcmSha256;
    /// A device has no certificate of its own.
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.rng
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, Inner> {
        Ok(&mut self.checker)
    }
}

/// Checks one broker in one handshake.
pub(super) struct Checker<'a> {
    anchor: CertificateDer<'a>,
    host: ServerName<'a>,
    time: Option<UnixMicros>,
    /// The broker's certificate, once it is trusted.
    leaf: &'a mut Vec<u8, CERTIFICATE_LEN_MAX>,
    /// Everything said until the certificate, which its key has to sign.
    transcript: Option<Sha256>,
    is_proven: bool,
    refused: Option<TlsError>,
}

impl<'a> Checker<'a> {
    /// Trusts what `ca` issued for `host`. `leaf` is room for the broker's certificate.
    pub(super) fn new(
        ca: &'a [u8],
        host: ServerName<'a>,
        time: Option<UnixMicros>,
        leaf: &'a mut Vec<u8, CERTIFICATE_LEN_MAX>,
    ) -> Result<Self, TlsError> {
        let anchor = CertificateDer::from(ca);
        anchor_from_trusted_cert(&anchor).map_err(|_| TlsError::BadCa)?;
        leaf.clear();
        let (transcript, is_proven, refused) = (None, false, None);
        Ok(Self { anchor, host, time, leaf, transcript, is_proven, refused })
    }

    /// Whether a trusted certificate was shown, and its key too.
    pub(super) fn is_proven(&self) -> bool {
        self.is_proven
    }

    /// Why it was refused.
    pub(super) fn refused(&self) -> Option<TlsError> {
        self.refused
    }

    fn refuse(&mut self, reason: TlsError) -> Inner {
        self.refused = Some(reason);
        Inner::InvalidCertificate
    }

    fn check(&self, chain: &CertificateRef<'_>) -> Result<(), TlsError> {
        let mut entries = chain.entries.iter().map(|entry| match entry {
            CertificateEntryRef::X509(der) => Ok(CertificateDer::from(*der)),
            CertificateEntryRef::RawPublicKey(_) => Err(TlsError::BadCertificate),
        });
        let leaf = entries.next().ok_or(TlsError::NotProven)??;
        let mut issuers = Vec::<_, ISSUERS_MAX>::new();
        for issuer in entries {
            issuers.push(issuer?).map_err(|_| TlsError::BadCertificate)?;
        }
        let anchor = anchor_from_trusted_cert(&self.anchor).map_err(|_| TlsError::BadCa)?;
        let leaf = EndEntityCert::try_from(&leaf).map_err(meaning)?;
        match self.time {
            Some(UnixMicros(micros)) => {
                let since = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
                is_issued(&leaf, &issuers, anchor, UnixTime::since_unix_epoch(since))?;
            }
            None => was_ever_issued(&leaf, &issuers, &anchor)?,
        }
        leaf.verify_is_valid_for_subject_name(&self.host).map_err(meaning)
    }
}

impl TlsVerifier<Aes128GcmSha256> for Checker<'_> {
    /// Known already, an address too.
    fn set_hostname_verification(&mut self, _hostname: &str) -> Result<(), Inner> {
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &Sha256,
        chain: CertificateRef<'_>,
    ) -> Result<(), Inner> {
        if self.transcript.is_some() || self.is_proven {
            // A second certificate must not take the place of the first.
            return Err(self.refuse(TlsError::Broken));
        }
        self.check(&chain).map_err(|reason| self.refuse(reason))?;
        if let Some(CertificateEntryRef::X509(der)) = chain.entries.first() {
            let kept = self.leaf.extend_from_slice(der);
            kept.map_err(|_| self.refuse(TlsError::BadCertificate))?;
        }
        self.transcript = Some(transcript.clone());
        Ok(())
    }

    fn verify_signature(&mut self, verify: CertificateVerifyRef<'_>) -> Result<(), Inner> {
        let transcript = self.transcript.take();
        let transcript = transcript.ok_or_else(|| self.refuse(TlsError::NotProven))?;
        if !matches!(verify.signature_scheme, SignatureScheme::EcdsaSecp256r1Sha256) {
            return Err(self.refuse(TlsError::BadCertificate));
        }
        // What the key signs [RFC 8446 4.4.3].
        let mut message = Vec::<u8, 130>::from_array([b' '; 64]);
        let parts: [&[u8]; 2] = [b"TLS 1.3, server CertificateVerify\0", &transcript.finalize()];
        for part in parts {
            message.extend_from_slice(part).map_err(|_| Inner::EncodeError)?;
        }
        let der = CertificateDer::from(self.leaf.as_slice());
        let proven = EndEntityCert::try_from(&der)
            .and_then(|leaf| leaf.verify_signature(&P256Sha256, &message, verify.signature));
        self.is_proven = proven.is_ok();
        proven.map_err(|_| self.refuse(TlsError::NotProven))
    }
}

/// Whether the CA issued it for a server, and all of the chain is valid at `time`.
fn is_issued(
    leaf: &EndEntityCert<'_>,
    issuers: &[CertificateDer<'_>],
    anchor: TrustAnchor<'_>,
    time: UnixTime,
) -> Result<(), Error> {
    let algorithms: [&dyn SignatureVerificationAlgorithm; 1] = [&P256Sha256];
    let anchors = [anchor];
    let usage = KeyUsage::server_auth();
    leaf.verify_for_usage(&algorithms, &anchors, issuers, time, usage, None, None).map(|_| ())
}

/// Whether there was a moment, since there are devices, at which [`is_issued`] was true: the clock is
/// not set. Each turn goes on to the moment from which one more certificate is valid.
fn was_ever_issued(
    leaf: &EndEntityCert<'_>,
    issuers: &[CertificateDer<'_>],
    anchor: &TrustAnchor<'_>,
) -> Result<(), TlsError> {
    let mut time = EARLIEST;
    for _ in 0..=ISSUERS_MAX {
        match is_issued(leaf, issuers, anchor.clone(), time) {
            Err(Error::CertNotValidYet { not_before, .. }) => time = not_before,
            other => return other.map_err(meaning),
        }
    }
    Err(TlsError::NotYetValid)
}

/// What to look at next.
fn meaning(error: Error) -> TlsError {
    match error {
        Error::UnknownIssuer
        | Error::InvalidSignatureForPublicKey
        | Error::EndEntityUsedAsCa
        | Error::NameConstraintViolation
        | Error::PathLenConstraintViolated => TlsError::WrongCa,
        Error::CertNotValidForName(_) => TlsError::WrongHost,
        Error::CertExpired { .. } => TlsError::Expired,
        Error::CertNotValidYet { .. } => TlsError::NotYetValid,
        Error::CaUsedAsEndEntity => TlsError::CaAsBroker,
        _ => TlsError::BadCertificate,
    }
}

impl From<Error> for TlsError {
    fn from(error: Error) -> Self {
        meaning(error)
    }
}

/// ECDSA with SHA-256 on P-256, for `webpki`.
#[derive(Debug)]
struct P256Sha256;

impl SignatureVerificationAlgorithm for P256Sha256 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}
