//! An authority of the test's own and what it has signed.

use mtom_mqtt::tls::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Certificates as files.
pub(crate) struct Files {
    dir: tempfile::TempDir,
    /// What a device has that the broker lets in.
    pub(crate) tls: Tls,
}

impl Files {
    /// An authority, and what it signed for the broker, for us and for a stranger's authority.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let authority = || {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            // Another than those that it signs have: OpenSSL takes them for their own authorities else.
            params.distinguished_name.push(DnType::CommonName, "authority");
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let ours = authority();
        write("ca.pem", &ours.pem());
        write("other-ca.pem", &authority().pem());
        for name in ["localhost", "127.0.0.1", "gateway"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &ours).unwrap();
            write(&format!("{name}.pem"), &certificate.pem());
            write(&format!("{name}.key"), &key.serialize_pem());
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let tls = Tls::default().trusting(&ours.pem()).unwrap();
        let tls = tls.identified(&read("gateway.pem"), &read("gateway.key")).unwrap();
        Self { dir, tls }
    }

    /// Where it is: `ca.pem`, `gateway.key` and the like.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// What the gateway needs for a broker at `url`.
    pub(crate) fn sets(&self, url: &str) -> Vec<String> {
        vec![
            format!("broker.url={url}"),
            format!("broker.ca_file={}", self.path("ca.pem")),
            format!("broker.certificate_file={}", self.path("gateway.pem")),
            format!("broker.key_file={}", self.path("gateway.key")),
        ]
    }
}
