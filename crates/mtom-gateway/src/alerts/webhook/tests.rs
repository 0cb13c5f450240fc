use super::super::queue::Blame;
use super::super::tests::server::{Answer, Server, serve};
use super::{Refused, Url, Webhooks};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Longer than anything takes that is to come.
const AMPLE: Duration = Duration::from_secs(30);

async fn post(server: &Server, body: &str, limit: Duration) -> Result<(), Refused> {
    Webhooks::new(limit).post(&server.url(), 7, body.into()).await
}

#[tokio::test]
async fn a_post_says_what_it_is_and_which_alert() {
    let mut server = Server::start(&[Answer::Status("204 No Content")]).await;
    for (body, kind) in [
        ("{\"a\":1}", "application/json"),
        ("[1]", "application/json"),
        ("hot: 26 °C", "text/plain; charset=utf-8"),
        ("", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(post(&server, body, AMPLE).await, Ok(()));
        let asked = server.asked.recv().await.unwrap();
        assert!(asked.head.starts_with("POST /hook?key=secret HTTP/1.1\r\n"), "{}", asked.head);
        assert_eq!(asked.header("content-type"), Some(kind));
        assert_eq!(asked.header("x-mtom-alert"), Some("7"));
        assert_eq!(asked.header("host"), Some(&*server.address.to_string()));
        assert_eq!((asked.body.as_str(), asked.header("authorization")), (body, None));
    }
}

#[tokio::test]
async fn a_password_goes_to_the_server_and_nowhere_else() {
    let mut server = Server::start(&[Answer::Status("503 Service Unavailable")]).await;
    let url = format!("http://me:p%41ss%@{}/", server.address);
    let refused = Webhooks::new(AMPLE).post(&url, 1, "x".into()).await;
    let asked = server.asked.recv().await.unwrap();
    // "me:pAss%"
    assert_eq!(asked.header("authorization"), Some("Basic bWU6cEFzcyU="));
    assert_eq!(asked.header("host"), Some(&*server.address.to_string()));
    let reason = "answered 503 Service Unavailable".to_owned();
    assert_eq!(refused, Err(Refused::ForNow(Blame::Target, reason)));
}

#[tokio::test]
async fn the_status_says_whether_it_is_worth_another_try() {
    for (answer, expected) in [
        (&[Answer::Status("200 OK")], None),
        (&[Answer::Status("299 Yes")], None),
        (&[Answer::Status("301 Moved Permanently")], Some(Some(Blame::Alert))),
        (&[Answer::Status("400 Bad Request")], Some(None)),
        (&[Answer::Status("404 Not Found")], Some(None)),
        (&[Answer::Status("408 Request Timeout")], Some(Some(Blame::Target))),
        (&[Answer::Status("425 Too Early")], Some(Some(Blame::Target))),
        (&[Answer::Status("429 Too Many Requests")], Some(Some(Blame::Target))),
        (&[Answer::Status("500 Internal Server Error")], Some(Some(Blame::Alert))),
        (&[Answer::Status("502 Bad Gateway")], Some(Some(Blame::Target))),
    ] {
        let server = Server::start(answer).await;
        let found = match post(&server, "x", AMPLE).await {
            Ok(()) => None,
            Err(Refused::ForGood(_)) => Some(None),
            Err(Refused::ForNow(blame, _)) => Some(Some(blame)),
        };
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(&[Answer::Status("200 OK")]).await;
    let server = Server::start(&[Answer::Status("307 Temporary Redirect")]).await;
    assert!(matches!(post(&server, "x", AMPLE).await, Err(Refused::ForNow(Blame::Alert, _))));
    assert!(elsewhere.asked.is_empty());
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_the_end() {
    let server = Server::start(&[Answer::EndlessBody]).await;
    assert_eq!(post(&server, "x", AMPLE).await, Ok(()), "the status has said it");
    let server = Server::start(&[Answer::EndlessHead]).await;
    let refused = post(&server, "x", AMPLE).await;
    assert!(matches!(refused, Err(Refused::ForNow(Blame::Target, _))), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_or_is_not_there_is_tried_again() {
    let server = Server::start(&[Answer::Silence]).await;
    let refused = post(&server, "x", Duration::from_millis(50)).await;
    assert_eq!(refused, Err(Refused::ForNow(Blame::Target, "no answer in time".into())));
    let address = server.address;
    drop(server);
    let refused =
        Webhooks::new(AMPLE).post(&format!("http://u:p@{address}/x"), 1, "x".into()).await;
    let Err(Refused::ForNow(Blame::Target, reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.starts_with("cannot connect: "), "{reason}");
    assert!(!reason.contains("u:p"), "{reason}");
}

#[tokio::test]
async fn https_trusts_whom_it_is_told_to_and_nobody_else() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://localhost:{}/x", listener.local_addr().unwrap().port());
    let (tell, mut asked) = mpsc::channel(2);
    let serving = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, Answer::Status("200 OK"), tell.clone()).await;
            }
        }
    };
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let posting = async {
        let refused = Webhooks::new(AMPLE).post(&url, 1, "x".into()).await;
        let Err(Refused::ForNow(Blame::Target, reason)) = refused else { panic!("{refused:?}") };
        assert!(reason.starts_with("cannot use TLS"), "{reason}");
        assert_eq!(Webhooks::trusting(roots, AMPLE).post(&url, 2, "y".into()).await, Ok(()));
    };
    tokio::select! { () = posting => {}, () = serving => {} }
    assert_eq!(asked.recv().await.unwrap().body, "y");
}

#[test]
fn urls_are_read_with_their_ports_and_odd_forms() {
    let parse = |text| Url::parse(text).map(|url| (url.is_tls, url.host, url.port, url.path));
    let expected =
        |tls, host: &str, port, path: &str| Ok((tls, host.to_owned(), port, path.into()));
    assert_eq!(parse("http://a"), expected(false, "a", 80, "/"));
    assert_eq!(parse("https://a/b?c=d#e"), expected(true, "a", 443, "/b?c=d"));
    assert_eq!(parse("HTTP://[::1]:8080/"), expected(false, "::1", 8080, "/"));
    for text in ["ftp://a/", "a", "/a", "http:///x", "http://a b/", "file:///etc/passwd", ""] {
        assert!(parse(text).is_err(), "{text}");
    }
}
