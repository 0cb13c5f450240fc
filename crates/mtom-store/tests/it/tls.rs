//! An encrypted connection: to the right server, and to no other.

use super::{maria_server, refused, settings};
use mtom_store::maria::{Maria, MariaError, chain};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;

/// An authority, and a server's certificate and key from it.
fn write_certificates(folder: &Path, names: &[&str]) {
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    std::fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    std::fs::write(folder.join("server.pem"), server.pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn tls_reaches_the_right_server_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    write_certificates(folder.path(), &["localhost"]);
    write_certificates(other.path(), &["localhost"]);
    let file = |name: &str| folder.path().join(name).display().to_string();
    let options = [
        format!("--ssl-ca={}", file("ca.pem")),
        format!("--ssl-cert={}", file("server.pem")),
        format!("--ssl-key={}", file("server.key")),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let Some(server) = maria_server::Server::start(&options) else { return };
    let database = server.database().await;
    server.sql(&format!("CREATE USER t REQUIRE SSL; GRANT ALL ON {database}.* TO t")).await;
    let url = |host: &str, query: &str| {
        settings(&format!("mysql://t@{host}:{}/{database}?{query}", server.port))
    };
    let ca = format!("ca={}", file("ca.pem"));
    Maria::connect(&url("localhost", &ca)).await.unwrap();
    Maria::connect(&url("localhost", "tls=required")).await.unwrap();
    Maria::connect(&url("127.0.0.1", "tls=required")).await.unwrap();
    let wrong_ca = format!("ca={}", other.path().join("ca.pem").display());
    let no_ca = format!("ca={}", folder.path().join("none.pem").display());
    for (host, query) in [
        // Another authority, another name, the system's authorities, no file.
        ("localhost", wrong_ca.as_str()),
        ("127.0.0.1", ca.as_str()),
        ("localhost", "tls=verify"),
    ] {
        let error = refused(&url(host, query)).await;
        assert!(matches!(error, MariaError::Tls { .. }), "{query}: {}", chain(&error));
        assert!(error.to_string().contains("ca=FILE"), "{error}");
    }
    let error = refused(&url("localhost", &no_ca)).await;
    assert!(
        chain(&error).contains("none.pem") || chain(&error).contains("No such file"),
        "{}",
        chain(&error)
    );
    let error = refused(&url("localhost", "tls=off")).await;
    assert!(matches!(error, MariaError::Refused { .. }), "{}", chain(&error));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_was_asked_for() {
    let Some(server) = maria_server::shared() else { return };
    let url = format!("{}?tls=required", server.url().await);
    let error = refused(&settings(&url)).await;
    assert!(matches!(error, MariaError::Tls { .. }), "{}", chain(&error));
}
