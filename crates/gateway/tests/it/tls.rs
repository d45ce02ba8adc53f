//! TLS on both sides, and HTTP/2 from clients.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tidegate_gateway::{Config, Gateway, NoOpaqueTokens, Snapshot};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::support::{Backend, open_api, put, soon, subscriber};

const GET: &[(&str, &str)] = &[("GET", "/*")];

struct Identity {
    server: Arc<ServerConfig>,
    roots: RootCertStore,
    pem: String,
}

fn identity(alpn: &[&[u8]]) -> Identity {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    Identity { server: Arc::new(server), roots, pem: made.cert.pem() }
}

async fn connect(address: std::net::SocketAddr, roots: RootCertStore, alpn: &[&[u8]]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(client)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

async fn start(config: Config, url: &str, tls: Option<Arc<ServerConfig>>) -> (std::net::SocketAddr, watch::Sender<bool>) {
    let api = open_api(url, GET);
    let mut changes = subscriber(api.id);
    changes.push(put(api));
    let gateway = Gateway::new(config, Arc::new(NoOpaqueTokens)).unwrap();
    gateway.swap(Snapshot::empty().apply(&changes).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(gateway.serve(listener, tls, stopped));
    (address, stop)
}

#[tokio::test]
async fn http_1_over_tls_reaches_the_backend_as_https() {
    let backend = Backend::echo().await;
    let identity = identity(&[b"h2", b"http/1.1"]);
    let (address, _stop) = start(Config::default(), &backend.url(), Some(identity.server)).await;
    let mut stream = connect(address, identity.roots, &[b"http/1.1"]).await;
    stream.write_all(b"GET /shop/1.0.0/a HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut got = Vec::new();
    let _ = soon("the answer", stream.read_to_end(&mut got)).await;
    let got = String::from_utf8_lossy(&got).to_lowercase();
    assert!(got.starts_with("http/1.1 200") && got.contains("x-forwarded-proto: https"), "{got}");
}

#[tokio::test]
async fn http_2_is_offered_over_tls() {
    let backend = Backend::echo().await;
    let identity = identity(&[b"h2", b"http/1.1"]);
    let (address, _stop) = start(Config::default(), &backend.url(), Some(identity.server)).await;
    let stream = connect(address, identity.roots, &[b"h2"]).await;
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let ask = |path: &str| http::Request::get(format!("https://localhost{path}")).body(Empty::<bytes::Bytes>::new()).unwrap();
    let (one, two) = tokio::join!(sender.send_request(ask("/shop/1.0.0/a")), sender.clone().send_request(ask("/nothing")));
    assert_eq!(two.unwrap().status(), 404);
    let one = one.unwrap();
    assert_eq!(one.status(), 200);
    let body = String::from_utf8(one.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap().to_lowercase();
    assert!(body.starts_with("get /a http/1.1") && body.contains("x-forwarded-host: localhost"), "{body}");
}

/// A backend behind TLS that answers each connection once.
async fn tls_backend(server: Arc<ServerConfig>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = TlsAcceptor::from(Arc::clone(&server)).accept(stream).await {
                let mut head = [0u8; 4096];
                while stream.read(&mut head).await.is_ok_and(|n| n > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret").await.unwrap();
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn backends_certificates_are_checked() {
    let identity = identity(&[]);
    let backend = tls_backend(identity.server).await;
    let file = std::env::temp_dir().join(format!("tidegate-gateway-root-{}.pem", std::process::id()));
    std::fs::write(&file, &identity.pem).unwrap();
    let right = format!("https://localhost:{}", backend.port());
    let wrong = format!("https://{backend}");
    for (config, url, expected) in [
        (Config { extra_roots: vec![file.clone()], ..Config::default() }, &right, "secret"),
        (Config { extra_roots: vec![file.clone()], ..Config::default() }, &wrong, "101503"),
        (Config::default(), &right, "101503"),
        (Config { skip_backend_verification: true, ..Config::default() }, &wrong, "secret"),
    ] {
        let (address, _stop) = start(config, url, None).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /shop/1.0.0/a HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut got = String::new();
        soon("the answer", stream.read_to_string(&mut got)).await.unwrap();
        assert!(got.contains(expected), "{url}: {got}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn an_unreadable_root_is_told_at_start() {
    let config = Config { extra_roots: vec!["/nonexistent/root.pem".into()], ..Config::default() };
    assert!(Gateway::new(config, Arc::new(NoOpaqueTokens)).is_err());
}
