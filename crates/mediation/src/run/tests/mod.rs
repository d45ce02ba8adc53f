//! Sequence and message in, message out.

mod bodies;
mod bounds;
mod copies;
mod scripts;
mod ways;

use bytes::Bytes;

use super::*;
use crate::message::Scope;
use crate::{Library, Payload, Rewritten, Source, Value, compile};

fn program(sequence: &str, library: &Library) -> Arc<Program> {
    let source = Source::new("s.xml", sequence);
    Arc::new(compile(&source, library).unwrap_or_else(|obstacles| {
        let all: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
        panic!("{sequence}\n{}", all.join("\n"))
    }))
}

fn sequence(inner: &str) -> String {
    format!("<sequence xmlns='http://ws.apache.org/ns/synapse'>{inner}</sequence>")
}

fn message(content_type: &str, body: &str) -> Message {
    let mut message = Message::request("POST", "/pizza/1.0/menu?size=2&Name=a%20b");
    message.url_postfix = "/menu?size=2".to_owned();
    message.message_id = "urn:uuid:1".to_owned();
    message.client_address = "10.0.0.1".to_owned();
    message.now = std::time::Duration::from_millis(1_709_211_909_042);
    if !content_type.is_empty() {
        message.headers.append("Content-Type", content_type);
    }
    message.set_body(Bytes::from(body.to_owned()));
    message
}

fn body(message: &Message) -> String {
    match message.payload.rewritten() {
        None => "(untouched)".to_owned(),
        Some(Rewritten::Empty) => "(empty)".to_owned(),
        Some(Rewritten::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

fn run(inner: &str, message: &mut Message) -> Ran {
    let program = program(&sequence(inner), &Library::new());
    program.run(message, &Limits::default())
}

fn through(inner: &str, message: &mut Message) -> Vec<String> {
    let ran = run(inner, message);
    assert!(matches!(ran.end, End::Continue), "{inner}: {:?}", ran.end);
    ran.log.into_iter().map(|line| line.text).collect()
}

fn property(message: &Message, name: &str) -> String {
    message.property(Scope::Default, name).map_or_else(|| "(none)".to_owned(), |v| v.to_string())
}

const JSON: (&str, &str) = ("application/json", "{\"name\":\"Ann\",\"items\":[{\"id\":1,\"p\":2.50},{\"id\":2,\"p\":3}],\"note\":null}");
const XML: (&str, &str) =
    ("application/xml", "<o:order xmlns:o=\"urn:o\" id=\"7\"><o:item n=\"1\">apple</o:item><o:item n=\"2\">pear</o:item></o:order>");
const SOAP: (&str, &str) = (
    "text/xml",
    "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Header><h>1</h></soapenv:Header><soapenv:Body><get>x</get></soapenv:Body></soapenv:Envelope>",
);

#[test]
fn expressions_in_properties() {
    for ((content_type, text), inner, value) in [
        (JSON, "value='v'", "v"),
        (JSON, "expression='json-eval($.name)'", "Ann"),
        (JSON, "expression='json-eval($.items[1].p)'", "3"),
        (JSON, "expression='json-eval($.note)'", "null"),
        (JSON, "expression='json-eval($.missing)'", ""),
        (JSON, "expression='json-eval($)'", JSON.1),
        (JSON, "expression='json-eval($.items)'", "[{\"id\":1,\"p\":2.50},{\"id\":2,\"p\":3}]"),
        (JSON, "expression='//items[2]/id'", "2"),
        (JSON, "expression='$body/jsonObject/name'", "Ann"),
        (JSON, "expression='count(//items)'", "2.0"),
        (XML, "expression='//o:item[1]' xmlns:o='urn:o'", "apple"),
        (XML, "expression=\"//*[local-name()='item'][@n='2']\"", "pear"),
        (XML, "expression='json-eval($.order.item[1].$)'", "pear"),
        (SOAP, "expression='//get'", "x"),
        (SOAP, "expression=\"get-property('MESSAGE_FORMAT')\"", "soap11"),
        (JSON, "expression=\"get-property('MESSAGE_FORMAT')\"", "pox"),
        (JSON, "expression=\"get-property('axis2','HTTP_METHOD')\"", "POST"),
        (JSON, "expression='$axis2:REST_URL_POSTFIX'", "/menu?size=2"),
        (JSON, "expression=\"get-property('To')\"", "/pizza/1.0/menu?size=2&Name=a%20b"),
        (JSON, "expression='$url:name'", "a b"),
        (JSON, "expression='$trp:content-TYPE'", "application/json"),
        (JSON, "expression=\"get-property('transport','Content-Type')\"", "application/json"),
        (JSON, "expression=\"get-property('SYSTEM_TIME')\"", "1709211909042"),
        (JSON, "expression=\"get-property('SYSTEM_DATE','yyyy-MM-dd')\"", "2024-02-29"),
        (JSON, "expression=\"get-property('MessageID')\"", "urn:uuid:1"),
        (JSON, "expression='$axis2:REMOTE_ADDR'", "10.0.0.1"),
        (JSON, "expression='$ctx:missing'", "(none)"),
        (JSON, "value='12' type='INTEGER'", "12"),
        (JSON, "value='1.5' type='DOUBLE'", "1.5"),
        (JSON, "value='TRUE' type='BOOLEAN'", "true"),
        (JSON, "value='a-42-b' pattern='[a-z]-(\\d+)-[a-z]' group='1'", "42"),
        (JSON, "value='zzz' pattern='[a-z]-(\\d+)' group='1'", ""),
        (JSON, "value='&lt;a>&lt;b/>&lt;/a>' type='OM'", "<a><b/></a>"),
    ] {
        let mut message = message(content_type, text);
        through(&format!("<property name='p' {inner}/>"), &mut message);
        assert_eq!(property(&message, "p"), value, "{inner}");
        assert_eq!(body(&message), "(untouched)", "{inner}");
    }
}

#[test]
fn properties_go_to_their_scope() {
    let mut message = message(JSON.0, JSON.1);
    message.headers.append("Authorization", "Bearer x");
    through(
        "<property name='X-A' value='1' scope='transport'/><property name='x-a' value='2' scope='transport'/>
        <property name='Authorization' scope='transport' action='remove'/>
        <property name='X-None' expression='$ctx:none' scope='transport'/>
        <property name='X-Split' value='a&#13;&#10;B: c' scope='transport'/>
        <property name='HTTP_METHOD' value='PUT' scope='axis2'/><property name='HTTP_SC' value='201' scope='axis2'/>
        <property name='REST_URL_POSTFIX' expression=\"concat('/v2', $axis2:REST_URL_POSTFIX)\" scope='axis2'/>
        <property name='o' value='op' scope='operation'/><property name='c' value='cl' scope='axis2-client'/>
        <property name='gone' value='1'/><property name='gone' action='remove'/>
        <property name='written'><a xmlns=''><b>1</b></a></property>
        <property name='inner' expression='$ctx:written/b'/>
        <property name='made.{1}' value='n'/>
        <propertyGroup><property name='g1' value='1'/><property name='g2' value='2'/></propertyGroup>",
        &mut message,
    );
    let headers: Vec<_> = message.headers.iter().collect();
    assert_eq!(headers, [("Content-Type", "application/json"), ("X-A", "2"), ("X-None", ""), ("X-Split", "aB: c")]);
    assert_eq!((message.method.as_str(), message.status, message.url_postfix.as_str()), ("PUT", Some(201), "/v2/menu?size=2"));
    assert_eq!(message.property(Scope::Operation, "o"), Some("op".into()));
    assert_eq!(message.property(Scope::Axis2Client, "c"), Some("cl".into()));
    assert_eq!((property(&message, "gone"), property(&message, "inner")), ("(none)".to_owned(), "1".to_owned()));
    assert_eq!((property(&message, "written"), property(&message, "g2")), ("<a><b>1</b></a>".to_owned(), "2".to_owned()));
    message.begin_answer(200, Headers::new(), crate::Payload::absent());
    assert_eq!(message.property(Scope::Operation, "o"), Some("op".into()));
    assert_eq!(message.property(Scope::Axis2Client, "c"), None);
}

#[test]
fn logs_say_what_they_said() {
    let mut one = message(JSON.0, JSON.1);
    one.headers.append("Authorization", "Bearer abcdefgh12345678");
    let lines = through(
        "<log/><log level='custom' separator=' | '><property name='A' value='1'/><property name='B' expression='$ctx:none'/><property name='C' expression='$trp:Authorization'/></log>
        <log level='full' category='ERROR'><property name='IN' value='X'/></log>",
        &mut one,
    );
    assert_eq!(lines[0], "To: /pizza/1.0/menu?size=2&Name=a%20b, MessageID: urn:uuid:1, Direction: request");
    assert_eq!(lines[1], "A = 1 | B = null | C = Bearer ***");
    assert_eq!(lines[2], format!("{}, IN = X, Payload: {}", lines[0], JSON.1));
    let mut two = message(SOAP.0, SOAP.1);
    assert_eq!(through("<log level='headers'/>", &mut two), ["h : 1"]);
    let full = &through("<log level='full'/>", &mut two)[0];
    assert!(full.ends_with(&format!(", Envelope: <?xml version='1.0' encoding='utf-8'?>{}", SOAP.1)), "{full}");
    assert_eq!(run("<log category='WARN'/>", &mut two).log[0].level, crate::LogLevel::Warn);
}

#[test]
fn headers_are_set() {
    let mut message = message(SOAP.0, SOAP.1);
    through(
        "<header name='To' value='http://other/x'/><header name='Action' expression=\"'urn:act'\"/>
        <header name='X-H' value='1' scope='transport'/><header name='content-type' scope='transport' action='remove'/>
        <header name='m:id' value='5' xmlns:m='urn:m'/><header name='h' action='remove'/>
        <header><w:sec xmlns:w='urn:w'><w:t>1</w:t></w:sec></header>
        <property name='act' expression=\"get-property('Action')\"/>",
        &mut message,
    );
    assert_eq!(
        (message.to.as_deref(), message.headers.get("x-h"), property(&message, "act").as_str()),
        (Some("http://other/x"), Some("1"), "urn:act")
    );
    assert!(
        body(&message)
            .contains("<soapenv:Header><m:id xmlns:m=\"urn:m\">5</m:id><w:sec xmlns:w=\"urn:w\"><w:t>1</w:t></w:sec></soapenv:Header>"),
        "{}",
        body(&message)
    );
}
