//! The sequences of real old installations, read from where the reader has them: `TIDEGATE_SAMPLES` names a folder of installations.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the whole binary is a test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_mediation as mediation;

use mediation::{Direction, End, Fault, Library, Limits, Message, Rewritten, Scope, Source};

fn samples() -> Option<PathBuf> {
    let folder = std::env::var_os("TIDEGATE_SAMPLES");
    if folder.is_none() {
        println!("skipped: TIDEGATE_SAMPLES names no folder of old installations");
    }
    folder.map(PathBuf::from)
}

fn xml_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "xml")).collect();
    files.sort();
    files
}

/// Sequences of an installation's gateway, and those it offers to APIs.
fn installation(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let gateway = xml_files(&folder.join("repository/deployment/server/synapse-configs/default/sequences"));
    let offered = ["in", "out", "fault"].map(|kind| xml_files(&folder.join("repository/resources/customsequences").join(kind)));
    (gateway, offered.concat())
}

fn installations(samples: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(samples).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    folders
}

fn source(file: &Path) -> Source {
    Source::new(file.display().to_string(), std::fs::read_to_string(file).unwrap())
}

fn library(gateway: &[PathBuf]) -> Library {
    gateway.iter().fold(Library::new(), |library, file| library.with_sequence(file.file_stem().unwrap().to_str().unwrap(), source(file)))
}

#[test]
fn every_shipped_sequence_is_hashed_whatever_its_line_ends() {
    let Some(samples) = samples() else { return };
    let files: Vec<PathBuf> = installations(&samples).iter().flat_map(|folder| installation(folder).0).collect();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let windows = text.replace("\r\n", "\n").replace('\n', "\r\n").replace("<!--", "<!-- edited ");
        assert_eq!(mediation::normalised_hash(&windows), mediation::normalised_hash(&text), "{}", file.display());
    }
}

#[test]
fn every_shipped_sequence_compiles_and_runs() {
    let Some(samples) = samples() else { return };
    let mut compiled = 0;
    for folder in installations(&samples) {
        let (gateway, offered) = installation(&folder);
        let library = library(&gateway);
        for file in gateway.iter().chain(&offered) {
            let program = mediation::compile(&source(file), &library)
                .unwrap_or_else(|obstacles| panic!("{}", obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
            // Whatever a message looks like, a shipped sequence ends in some way it can end.
            let program = Arc::new(program);
            for (content_type, body) in [("application/json", "{\"a\":1}"), ("application/xml", "<a/>"), ("", "")] {
                let mut message = Message::request("POST", "/x/1.0/y");
                if !content_type.is_empty() {
                    message.headers.append("Content-Type", content_type);
                }
                message.set_body(body.as_bytes().to_vec().into());
                let ran = program.run(&mut message, &Limits::default());
                assert!(!matches!(ran.end, End::Call(_)), "{}", file.display());
            }
            compiled += 1;
        }
    }
    println!("{compiled} shipped sequences compiled");
    assert!(compiled > 60, "{compiled}");
}

#[test]
fn the_stock_fault_sequence_answers_as_it_did() {
    let Some(samples) = samples() else { return };
    let mut ran = 0;
    for folder in installations(&samples) {
        let (gateway, _) = installation(&folder);
        let Some(file) = gateway.iter().find(|f| f.file_stem().is_some_and(|s| s == "fault")) else { continue };
        let program = Arc::new(mediation::compile(&source(file), &library(&gateway)).unwrap());
        let mut message = Message::request("GET", "/x/1.0/y");
        message.headers.append("Authorization", "Bearer 1234567890");
        message.headers.append("Accept", "application/json");
        message.headers.append("X-Own", "kept");
        message.set_fault(&Fault { code: 101_503, message: "Error connecting to the back end".to_owned(), detail: String::new() });
        let done = program.run(&mut message, &Limits::default());
        assert!(matches!(done.end, End::Respond), "{:?}", done.end);
        assert_eq!((message.direction, message.status), (Direction::Response, Some(500)));
        let fault = "<am:fault xmlns:am=\"http://wso2.org/apimanager\"><am:code>101503</am:code><am:type>Status report</am:type><am:message>Runtime Error</am:message><am:description>Error connecting to the back end</am:description></am:fault>";
        let Some(Rewritten::Bytes(body)) = message.payload.rewritten() else { panic!("no body") };
        assert_eq!(String::from_utf8_lossy(body), fault);
        assert_eq!(message.headers.iter().collect::<Vec<_>>(), [("X-Own", "kept"), ("Content-Type", "application/xml; charset=UTF-8")]);
        assert_eq!(
            done.log[0].text,
            "STATUS = Executing default 'fault' sequence, ERROR_CODE = 101503, ERROR_MESSAGE = Error connecting to the back end"
        );
        // A SOAP request gets a SOAP fault; a code of the caller's own is the status.
        let mut soap = Message::request("POST", "/x/1.0/y");
        soap.headers.append("Content-Type", "text/xml");
        soap.properties.set(Scope::Default, "CUSTOM_HTTP_SC", "403");
        soap.set_fault(&Fault { code: 900_901, message: "no".to_owned(), detail: String::new() });
        program.run(&mut soap, &Limits::default());
        let Some(Rewritten::Bytes(body)) = soap.payload.rewritten() else { panic!("no body") };
        let body = String::from_utf8_lossy(body);
        assert!(body.contains("<faultcode>soapenv:Server</faultcode><faultstring>no</faultstring>"), "{body}");
        assert_eq!(soap.status, Some(403));
        ran += 1;
    }
    assert!(ran > 0);
}
