//! Sequence and message in, message out.

mod copies;

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
fn message_types_change_the_body() {
    for ((content_type, text), to, written, header) in [
        (
            JSON,
            "application/xml",
            "<jsonObject><name>Ann</name><items><id>1</id><p>2.50</p></items><items><id>2</id><p>3</p></items><note/></jsonObject>",
            "application/xml",
        ),
        (
            XML,
            "application/json",
            "{\"order\":{\"@id\":7,\"item\":[{\"@n\":1,\"$\":\"apple\"},{\"@n\":2,\"$\":\"pear\"}]}}",
            "application/json",
        ),
        (JSON, "application/json", "(untouched)", "application/json"),
    ] {
        let mut message = message(content_type, text);
        through(&format!("<property name='messageType' value='{to}' scope='axis2'/>"), &mut message);
        assert_eq!((body(&message).as_str(), message.content_type()), (written, Some(header)), "{to}");
    }
    let mut message = message("application/json", "{\"a\":1}");
    through("<property name='NO_ENTITY_BODY' value='true' scope='axis2' type='BOOLEAN'/>", &mut message);
    assert_eq!((body(&message).as_str(), message.content_type()), ("(empty)", None));
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
fn filters_and_switches_choose() {
    for (inner, chosen) in [
        ("<filter source='$axis2:HTTP_METHOD' regex='P.*'><then>@y</then><else>@n</else></filter>", "y"),
        ("<filter source='$axis2:HTTP_METHOD' regex='OST'><then>@y</then><else>@n</else></filter>", "n"),
        ("<filter source='$ctx:none' regex='.*'><then>@y</then><else>@n</else></filter>", "n"),
        ("<filter xpath='//items[id=2]'>@y</filter>", "y"),
        ("<filter xpath='//items[id=3]'>@y</filter>", "(none)"),
        ("<filter xpath='$ctx:none'><then>@y</then><else>@n</else></filter>", "n"),
        ("<filter source='boolean($trp:X)' regex='false'><then>@y</then></filter>", "y"),
        ("<filter source='json-eval($.name)' regex='Ann|Bob'>@y</filter>", "y"),
        (
            "<switch source='json-eval($.name)'><case regex='B.*'>@b</case><case regex='A.*'>@a</case><case regex='.*'>@c</case><default>@d</default></switch>",
            "a",
        ),
        ("<switch source='$ctx:none'><case regex='.*'>@a</case><default>@d</default></switch>", "d"),
        ("<switch source=\"'x'\"><case regex='y'>@a</case></switch>", "(none)"),
        ("<in>@i</in><out>@o</out>", "i"),
        ("<property name='RESPONSE' value='true'/><in>@i</in><out>@o</out>", "o"),
    ] {
        let mut text = inner.to_owned();
        for name in ["y", "n", "a", "b", "c", "d", "i", "o"] {
            text = text.replace(&format!("@{name}<"), &format!("<property name='way' value='{name}'/><"));
        }
        let mut message = message(JSON.0, JSON.1);
        through(&text, &mut message);
        assert_eq!(property(&message, "way"), chosen, "{inner}");
    }
}

#[test]
fn payloads_are_made() {
    for ((content_type, text), inner, made, header) in [
        (
            JSON,
            "<payloadFactory><format><am:fault xmlns:am='http://wso2.org/apimanager'>\n  <am:code>$1</am:code>\n  <am:message>a $2 &amp; $3</am:message>\n</am:fault></format><args><arg value='900901'/><arg expression='json-eval($.name)' evaluator='json'/><arg expression=\"'&lt;&amp;>'\"/></args></payloadFactory>",
            "<am:fault xmlns:am=\"http://wso2.org/apimanager\"><am:code>900901</am:code><am:message>a Ann &amp; &lt;&amp;&gt;</am:message></am:fault>",
            "application/xml",
        ),
        (
            XML,
            "<payloadFactory><format><a xmlns=''><b c='$1'>$2</b></a></format><args><arg expression='//@id'/><arg expression='//o:item[2]' xmlns:o='urn:o'/></args></payloadFactory>",
            "<a><b c=\"7\">pear</b></a>",
            "application/xml",
        ),
        (
            XML,
            "<payloadFactory><format><a xmlns=''>$1</a></format><args><arg expression='//o:order' xmlns:o='urn:o'/></args></payloadFactory>",
            "<a><o:order xmlns:o=\"urn:o\" id=\"7\"><o:item n=\"1\">apple</o:item><o:item n=\"2\">pear</o:item></o:order></a>",
            "application/xml",
        ),
        (
            JSON,
            "<payloadFactory media-type='xml'><format><a xmlns=''>$1</a></format><args><arg expression='$.items[0]' evaluator='json'/></args></payloadFactory>",
            "<a><id>1</id><p>2.50</p></a>",
            "application/xml",
        ),
        (
            JSON,
            "<payloadFactory media-type='json'><format>{\"n\": \"$1\", \"i\":$2, \"x\":$3}</format><args><arg expression='$.name' evaluator='json'/><arg expression='$.items' evaluator='json'/><arg expression='$.missing' evaluator='json'/></args></payloadFactory>",
            "{\"n\": \"Ann\", \"i\":[{\"id\":1,\"p\":2.50},{\"id\":2,\"p\":3}], \"x\":}",
            "application/json",
        ),
        (
            XML,
            "<payloadFactory media-type='json'><format>{\"o\":$1,\"q\":\"$2\"}</format><args><arg expression='//o:order' xmlns:o='urn:o'/><arg expression=\"'say &quot;hi&quot;\\&#10;'\"/></args></payloadFactory>",
            "{\"o\":{\"order\":{\"@id\":7,\"item\":[{\"@n\":1,\"$\":\"apple\"},{\"@n\":2,\"$\":\"pear\"}]}},\"q\":\"say \\\"hi\\\"\\\\\\n\"}",
            "application/json",
        ),
        (
            XML,
            "<property name='QUOTE_STRING_IN_PAYLOAD_FACTORY_JSON' value='true'/><payloadFactory media-type='json'><format>[$1,$2,$3]</format><args><arg value='a'/><arg value='1'/><arg value='true'/></args></payloadFactory>",
            "[\"a\",1,true]",
            "application/json",
        ),
        (
            XML,
            "<payloadFactory media-type='text'><format>Hello $1!</format><args><arg expression='//o:item[1]' xmlns:o='urn:o'/></args></payloadFactory>",
            "Hello apple!",
            "text/plain",
        ),
        (
            SOAP,
            "<payloadFactory><format><b xmlns=''>$1</b></format><args><arg value='2'/></args></payloadFactory>",
            "<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Header><h>1</h></soapenv:Header><soapenv:Body><b>2</b></soapenv:Body></soapenv:Envelope>",
            "text/xml",
        ),
        (
            JSON,
            "<payloadFactory media-type='json'><format>{\"a\":\"$1\"}</format><args><arg value='x'/></args></payloadFactory><property name='ContentType' scope='axis2' action='remove'/>",
            "{\"a\":\"x\"}",
            "application/json; charset=UTF-8",
        ),
        (
            JSON,
            "<payloadFactory media-type='json'><format>{\"a\":1}</format></payloadFactory><property name='messageType' value='application/xml' scope='axis2'/>",
            "<jsonObject><a>1</a></jsonObject>",
            "application/xml",
        ),
    ] {
        let mut message = message(content_type, text);
        through(inner, &mut message);
        assert_eq!((body(&message).as_str(), message.content_type()), (made, Some(header)), "{inner}");
    }
}

#[test]
fn the_older_engine_left_the_type_alone() {
    let format = "<payloadFactory><format><am:fault xmlns:am='http://wso2.org/apimanager'><am:code>$1</am:code><am:type>Status report</am:type></am:fault></format><args><arg value='900901'/></args></payloadFactory>";
    let json = "<payloadFactory media-type='json'><format>{\"a\":1}</format></payloadFactory>";
    let typed = format!("{json}<property name='messageType' value='application/json' scope='axis2'/>");
    for (inner, (content_type, text), made, header) in [
        (format, JSON, "{\"fault\":{\"code\":900901,\"type\":\"Status report\"}}", "application/json"),
        (
            format,
            XML,
            "<am:fault xmlns:am=\"http://wso2.org/apimanager\"><am:code>900901</am:code><am:type>Status report</am:type></am:fault>",
            "application/xml",
        ),
        (json, XML, "<jsonObject><a>1</a></jsonObject>", "application/xml"),
        (&typed, XML, "{\"a\":1}", "application/json"),
        (
            format,
            ("", ""),
            "<am:fault xmlns:am=\"http://wso2.org/apimanager\"><am:code>900901</am:code><am:type>Status report</am:type></am:fault>",
            "application/xml",
        ),
    ] {
        let mut message = message(content_type, text);
        let library = Library::new().with_dialect(crate::Dialect::V1);
        program(&sequence(inner), &library).run(&mut message, &Limits::default());
        assert_eq!((body(&message).as_str(), message.content_type()), (made, Some(header)), "{inner} {content_type}");
    }
}

#[test]
fn faults_are_made() {
    let soap = "<makefault version='soap11'><code value='soapenv:Server' xmlns:soapenv='u'/><reason expression='$ctx:r'/><detail><d xmlns=''>1</d></detail></makefault>";
    for (inner, made) in [
        (
            soap,
            "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>why</faultstring><detail><d>1</d></detail></soapenv:Fault>",
        ),
        (
            "<makefault version='soap12'><code value='x:Receiver'/><reason value='w'/><role>urn:r</role><detail>d</detail></makefault>",
            "<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:Receiver</soapenv:Value></soapenv:Code><soapenv:Reason><soapenv:Text xml:lang=\"en\">w</soapenv:Text></soapenv:Reason><soapenv:Role>urn:r</soapenv:Role><soapenv:Detail>d</soapenv:Detail></soapenv:Fault>",
        ),
    ] {
        let mut message = message(SOAP.0, SOAP.1);
        through(&format!("<property name='r' value='why'/>{inner}"), &mut message);
        assert!(body(&message).contains(made), "{}", body(&message));
    }
    let mut one = message(XML.0, XML.1);
    through("<makefault response='true'><code value='x'/><reason value='because'/></makefault>", &mut one);
    assert_eq!((body(&one).as_str(), one.direction), ("<Exception>because</Exception>", Direction::Response));
}

#[test]
fn enriching_moves_things() {
    for ((content_type, text), inner, made) in [
        (JSON, "<source type='inline'>{\"a\":1}</source><target type='body'/>", "{\"a\":1}"),
        (JSON, "<source xpath='json-eval($.items[0])'/><target type='body'/>", "{\"id\":1,\"p\":2.50}"),
        (
            JSON,
            "<source xpath='json-eval($.name)'/><target xpath='json-eval($.items[1].p)'/>",
            "{\"name\":\"Ann\",\"items\":[{\"id\":1,\"p\":2.50},{\"id\":2,\"p\":\"Ann\"}],\"note\":null}",
        ),
        (
            JSON,
            "<source type='inline'>{\"id\":3}</source><target xpath='json-eval($.items)' action='child'/>",
            "{\"name\":\"Ann\",\"items\":[{\"id\":1,\"p\":2.50},{\"id\":2,\"p\":3},{\"id\":3}],\"note\":null}",
        ),
        (JSON, "<source xpath='json-eval($.items,$.note)'/><target type='body' action='remove'/>", ""),
        (JSON, "<source xpath='json-eval($.items)'/><target type='body' action='remove'/>", "{\"name\":\"Ann\",\"note\":null}"),
        (JSON, "<source type='inline'>\"who\"</source><target type='key' xpath='json-eval($.name)'/>", ""),
        (
            JSON,
            "<source type='inline'>{\"k\":\"who\"}</source><target xpath='json-eval($.extra)'/>",
            "{\"name\":\"Ann\",\"items\":[{\"id\":1,\"p\":2.50},{\"id\":2,\"p\":3}],\"note\":null,\"extra\":{\"k\":\"who\"}}",
        ),
        (
            XML,
            "<source type='inline'><x xmlns=''/></source><target xpath='//o:item[1]' xmlns:o='urn:o'/>",
            "<o:order xmlns:o=\"urn:o\" id=\"7\"><x/><o:item n=\"2\">pear</o:item></o:order>",
        ),
        (
            XML,
            "<source type='inline'><x xmlns=''/></source><target xpath='//o:item[1]' action='sibling' xmlns:o='urn:o'/>",
            "<o:order xmlns:o=\"urn:o\" id=\"7\"><o:item n=\"1\">apple</o:item><x/><o:item n=\"2\">pear</o:item></o:order>",
        ),
        (
            XML,
            "<source type='inline'><x xmlns=''/></source><target type='body' action='child'/>",
            "<o:order xmlns:o=\"urn:o\" id=\"7\"><o:item n=\"1\">apple</o:item><o:item n=\"2\">pear</o:item><x/></o:order>",
        ),
        (XML, "<source xpath='//o:item[2]' xmlns:o='urn:o'/><target type='body'/>", "<o:item xmlns:o=\"urn:o\" n=\"2\">pear</o:item>"),
        (
            XML,
            "<source xpath='//o:item[1]' clone='false' xmlns:o='urn:o'/><target xpath='//o:order' action='child' xmlns:o='urn:o'/>",
            "<o:order xmlns:o=\"urn:o\" id=\"7\"><o:item n=\"2\">pear</o:item><o:item n=\"1\">apple</o:item></o:order>",
        ),
        (
            XML,
            "<source type='inline'>words</source><target xpath='//o:item[1]/text()' xmlns:o='urn:o'/>",
            "<o:order xmlns:o=\"urn:o\" id=\"7\"><o:item n=\"1\">words</o:item><o:item n=\"2\">pear</o:item></o:order>",
        ),
        (
            XML,
            "<source type='inline'>9</source><target xpath='//@id'/>",
            "<o:order xmlns:o=\"urn:o\" id=\"9\"><o:item n=\"1\">apple</o:item><o:item n=\"2\">pear</o:item></o:order>",
        ),
        (
            XML,
            "<source type='body'/><target type='property' property='kept'/></enrich><payloadFactory><format><new xmlns=''/></format></payloadFactory><enrich><source type='property' property='kept'/><target type='body' action='child'/>",
            "<new><o:order xmlns:o=\"urn:o\" id=\"7\"><o:item n=\"1\">apple</o:item><o:item n=\"2\">pear</o:item></o:order></new>",
        ),
        (
            SOAP,
            "<source type='inline'><soapenv:Envelope xmlns:soapenv='http://www.w3.org/2003/05/soap-envelope'><soapenv:Body><n xmlns=''/></soapenv:Body></soapenv:Envelope></source><target type='envelope'/>",
            "<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body><n/></soapenv:Body></soapenv:Envelope>",
        ),
    ] {
        if made.is_empty() {
            continue;
        }
        let mut message = message(content_type, text);
        through(&format!("<enrich>{inner}</enrich>"), &mut message);
        assert_eq!(body(&message), made, "{inner}");
    }
    let mut one = message(JSON.0, JSON.1);
    through("<enrich><source xpath='json-eval($.items[0])'/><target type='property' property='p'/></enrich>", &mut one);
    assert_eq!((property(&one, "p").as_str(), body(&one).as_str()), ("{\"id\":1,\"p\":2.50}", "(untouched)"));
    let mut none = message(JSON.0, JSON.1);
    let End::Fault(fault) = run("<enrich><source xpath='json-eval($.none)'/><target type='body'/></enrich>", &mut none).end else {
        panic!("no fault")
    };
    assert_eq!(fault.message, "Failed to get the source for Enriching : ");
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

#[test]
fn scripts_change_the_message() {
    let mut one = message(JSON.0, JSON.1);
    let lines = through(
        "<property name='n' value='7' type='INTEGER'/><script language='js'><![CDATA[
            // mc.getEnvironment() in a comment is nothing, nor is \"java.util.Date\" in a text.
            var log = mc.getServiceLog(), words = \"java.util.Date\";
            var body = mc.getPayloadJSON();
            var total = 0;
            for (var i = 0; i < body.items.length; i++) { total += body.items[i].p; }
            body.total = total;
            body.day = new Date().toISOString();
            mc.setPayloadJSON(body);
            mc.setProperty('total', total);
            mc.setProperty('n', mc.getProperty('n') + 1);
            mc.setProperty('X-Total', String(total), 'transport');
            mc.setProperty('none', mc.getProperty('missing') === null);
            mc.setTo('http://there/' + mc.getTo().getAddress().length);
            log.info('total ' + total + ' ' + (Math.random() === Math.random()));
            print(typeof __host + typeof require + typeof fetch);
        ]]></script>",
        &mut one,
    );
    assert_eq!(lines, ["total 5.5 false", "undefinedundefinedundefined"]);
    assert_eq!(
        body(&one),
        "{\"name\":\"Ann\",\"items\":[{\"id\":1,\"p\":2.5},{\"id\":2,\"p\":3}],\"note\":null,\"total\":5.5,\"day\":\"2024-02-29T13:05:09.042Z\"}"
    );
    assert_eq!(one.property(Scope::Default, "n"), Some(Value::Integer(8)));
    assert_eq!(one.property(Scope::Default, "total"), Some(Value::Double(5.5)));
    assert_eq!(one.property(Scope::Default, "none"), Some(Value::Bool(true)));
    assert_eq!((one.headers.get("X-Total"), one.to.as_deref()), (Some("5.5"), Some("http://there/33")));

    let mut two = message(XML.0, XML.1);
    through(
        "<script language='js'>mc.setPayloadXML(mc.getPayloadXML().toString().replace('apple', 'plum')); mc.addHeader(false, '&lt;h>1&lt;/h>');</script>",
        &mut two,
    );
    assert!(body(&two).contains("<o:item n=\"1\">plum</o:item>"), "{}", body(&two));

    let library =
        Library::new().with_entry("conf:/s.js", Source::new("s.js", "function go(mc) { mc.setProperty('went', 'yes'); return false; }"));
    let program = program(&sequence("<script language='js' key='conf:/s.js' function='go'/><property name='after' value='1'/>"), &library);
    let mut three = message(JSON.0, JSON.1);
    assert!(matches!(program.run(&mut three, &Limits::default()).end, End::Drop));
    assert_eq!((property(&three, "went"), property(&three, "after")), ("yes".to_owned(), "(none)".to_owned()));
}

#[test]
fn scripts_are_bounded() {
    for (script, told) in [
        ("while (true) {}", "interrupted"),
        ("var a = []; while (true) { a.push(new Array(1000).join('x') + a.length); }", ""),
        ("var s = 'x'; while (true) { s += s; }", ""),
        ("function f() { return f() + 1; } f();", ""),
        ("throw new Error('mine');", "mine"),
        ("mc.setPayloadJSON('{');", "the payload is not JSON"),
        ("mc.setProperty('a', 'b', 'registry');", "there is no such scope"),
        ("mc.getPayloadXML().items", "E4X"),
        ("try { while (true) {} } catch (e) { while (true) {} }", "interrupted"),
        ("/(a|aa)+$/.test(new Array(60).join('a') + 'b')", ""),
    ] {
        let limits = Limits { script_bytes: 4 * 1024 * 1024, script_turns: 200, ..Limits::default() };
        let text = sequence(&format!("<script language='js'><![CDATA[{script}]]></script>"));
        let source = Source::new("s.xml", text);
        let Ok(program) = compile(&source, &Library::new()) else {
            assert_eq!(told, "E4X", "{script}");
            continue;
        };
        let mut message = message(JSON.0, JSON.1);
        let End::Fault(fault) = Arc::new(program).run(&mut message, &limits).end else { panic!("no fault: {script}") };
        assert_eq!(fault.message, "The script engine returned an error executing inlined js script function mediate");
        assert!(fault.detail.contains(told), "{script}: {fault:?}");
        assert_eq!(fault.detail.split(": ").next(), Some("s.xml:1"));
    }
}

#[test]
fn calls_are_made_by_the_caller() {
    let inner = "<property name='before' value='1'/><property name='uri.var.id' value='a b'/>
        <payloadFactory media-type='json'><format>{\"q\":1}</format></payloadFactory>
        <property name='REST_URL_POSTFIX' scope='axis2' action='remove'/>
        <log level='custom'><property name='one' value='1'/></log>
        <call><endpoint name='E'><http method='put' uri-template='http://h/{uri.var.id}'><timeout><duration>1500</duration></timeout></http></endpoint></call>
        <property name='answer' expression='json-eval($.r)'/><property name='code' expression='$axis2:HTTP_SC'/>
        <log level='custom'><property name='two' value='2'/></log>";
    let mut one = message(JSON.0, JSON.1);
    one.headers.append("Host", "gw");
    let ran = run(inner, &mut one);
    assert_eq!(ran.log.len(), 1);
    let End::Call(call) = ran.end else { panic!("no call") };
    let target = call.request.target.clone().unwrap();
    assert_eq!(
        (target.uri.as_str(), target.name.as_str(), target.timeout),
        ("http://h/a%20b", "E", Some(std::time::Duration::from_millis(1500)))
    );
    assert_eq!((call.request.method.as_str(), call.request.body.as_deref()), ("PUT", Some(b"{\"q\":1}".as_slice())));
    assert_eq!(call.request.headers.iter().collect::<Vec<_>>(), [("Content-Type", "application/json")]);
    let answer = Answer {
        status: 203,
        headers: [("Content-Type", "application/json"), ("X-B", "1")].into_iter().collect(),
        body: Bytes::from_static(b"{\"r\": 5}"),
    };
    let ran = call.resume.resume(&mut one, Ok(answer));
    assert!(matches!(ran.end, End::Continue));
    assert_eq!(ran.log[0].text, "two = 2");
    assert_eq!(
        (property(&one, "before"), property(&one, "answer"), property(&one, "code")),
        ("1".to_owned(), "5".to_owned(), "203".to_owned())
    );
    assert_eq!((body(&one).as_str(), one.headers.get("X-B")), ("{\"r\": 5}", Some("1")));

    let mut two = message(JSON.0, JSON.1);
    let End::Call(call) = run(inner, &mut two).end else { panic!("no call") };
    let fault = Fault { code: 101_503, message: "Error connecting to the back end".to_owned(), detail: "refused".to_owned() };
    let End::Fault(fault) = call.resume.resume(&mut two, Err(fault)).end else { panic!("no fault") };
    assert_eq!((fault.code, fault.detail.as_str()), (101_503, "s.xml:5: <call> (refused)"));
    assert_eq!(property(&two, "ERROR_CODE"), "101503");

    let callout = "<callout serviceURL='http://soap/s' action='urn:a'><source xpath='//get'/><target key='got'/></callout><property name='v' expression='$ctx:got/n'/>";
    let mut three = message(SOAP.0, SOAP.1);
    three.url_postfix.clear();
    let End::Call(call) = run(callout, &mut three).end else { panic!("no call") };
    assert_eq!(call.request.headers.get("SOAPAction"), Some("\"urn:a\""));
    assert!(String::from_utf8_lossy(call.request.body.as_deref().unwrap()).contains("<soapenv:Body><get>x</get></soapenv:Body>"));
    let answer = Answer {
        status: 200,
        headers: [("Content-Type", "text/xml")].into_iter().collect(),
        body: Bytes::from(SOAP.1.replace("<get>x</get>", "<r><n>4</n></r>")),
    };
    assert!(matches!(call.resume.resume(&mut three, Ok(answer)).end, End::Continue));
    assert_eq!((property(&three, "v").as_str(), body(&three).as_str()), ("4", "(untouched)"));
}

#[test]
fn messages_leave_in_their_ways() {
    for (inner, end) in [
        ("<send/>", "SendToBackend"),
        ("<send><endpoint><address uri='http://b/x'/></endpoint></send>", "Send(http://b/x/menu?size=2)"),
        ("<header name='To' value='https://c/y'/><send/>", "Send(https://c/y/menu?size=2)"),
        ("<header name='To' value='https://c/y'/><send><endpoint><default/></endpoint></send>", "Send(https://c/y/menu?size=2)"),
        ("<send><endpoint><http method='get' uri-template='http://b/x'/></endpoint></send>", "Send(http://b/x)"),
        ("<send><endpoint><http uri-template='http://b/x/'/></endpoint></send>", "Send(http://b/x/menu?size=2)"),
        ("<property name='RESPONSE' value='true'/><send/><drop/>", "Respond"),
        ("<respond/><property name='never' value='1'/>", "Respond"),
        ("<loopback/>", "Loopback"),
        ("<drop/>", "Drop"),
        ("<sequence><drop/></sequence><respond/>", "Drop"),
        ("<filter xpath='true()'><respond/></filter><drop/>", "Respond"),
    ] {
        let mut message = message(JSON.0, JSON.1);
        let ran = run(inner, &mut message);
        let shown = match ran.end {
            End::Send(target) => format!("Send({})", target.uri),
            other => format!("{other:?}"),
        };
        assert_eq!(shown, end, "{inner}");
        assert_eq!(property(&message, "never"), "(none)");
    }
}

#[test]
fn what_follows_a_send_runs_but_changes_nothing_sent() {
    let mut message = message(JSON.0, JSON.1);
    let ran = run(
        "<property name='RESPONSE' value='true'/><payloadFactory media-type='json'><format>{\"a\":1}</format></payloadFactory><send/>
        <payloadFactory media-type='json'><format>{\"b\":1}</format></payloadFactory><log level='custom'><property name='after' value='send'/></log><drop/>",
        &mut message,
    );
    assert!(matches!(ran.end, End::Respond));
    assert_eq!((body(&message).as_str(), ran.log[0].text.as_str()), ("{\"a\":1}", "after = send"));
}

#[test]
fn failures_go_to_the_nearest_on_error() {
    let library = Library::new()
        .with_sequence(
            "outer",
            Source::new(
                "outer.xml",
                "<sequence><property name='outer' expression=\"get-property('ERROR_MESSAGE')\"/><respond/></sequence>",
            ),
        )
        .with_sequence("inner", Source::new("inner.xml", "<sequence><property name='inner' expression='$ctx:ERROR_CODE'/></sequence>"))
        .with_sequence("bad", Source::new("bad.xml", "<sequence><property name='x' expression='//a'/></sequence>"))
        .with_sequence(
            "guarded",
            Source::new("guarded.xml", "<sequence onError='inner'><sequence key='bad'/><property name='after' value='1'/></sequence>"),
        )
        .with_sequence("unguarded", Source::new("unguarded.xml", "<sequence><sequence key='bad'/></sequence>"));
    let run = |text: &str, message: &mut Message| {
        let source = Source::new("s.xml", text);
        Arc::new(compile(&source, &library).unwrap()).run(message, &Limits::default()).end
    };
    let broken = || message("application/json", "{not json");
    let mut one = broken();
    assert!(matches!(run("<sequence onError='outer'><sequence key='guarded'/></sequence>", &mut one), End::Drop));
    assert_eq!(
        (property(&one, "inner"), property(&one, "after"), property(&one, "outer")),
        ("601000".into(), "(none)".into(), "(none)".into())
    );
    let mut two = broken();
    assert!(matches!(run("<sequence onError='outer'><sequence key='unguarded'/></sequence>", &mut two), End::Respond));
    assert_eq!(property(&two, "outer"), "Error while building message");
    let mut three = broken();
    let End::Fault(fault) = run("<sequence><sequence key='unguarded'/></sequence>", &mut three) else { panic!("no fault") };
    assert_eq!((fault.code, fault.detail.starts_with("bad.xml:1: <property>: the body is not JSON")), (601_000, true));
    // A handler that fails goes to the next one out.
    let mut four = broken();
    let nested = "<sequence onError='outer'><sequence key='again'/></sequence>";
    let library =
        library.clone().with_sequence("again", Source::new("again.xml", "<sequence onError='bad'><sequence key='bad'/></sequence>"));
    let end = Arc::new(compile(&Source::new("s.xml", nested), &library).unwrap()).run(&mut four, &Limits::default()).end;
    assert!(matches!(end, End::Respond));
}

#[test]
fn loops_run_over_parts() {
    let mut one = message(XML.0, XML.1);
    through(
        "<foreach expression='//o:item' xmlns:o='urn:o'><sequence><payloadFactory><format><i xmlns=''>$1</i></format><args><arg expression='//@n'/></args></payloadFactory></sequence></foreach>",
        &mut one,
    );
    assert_eq!(body(&one), "<o:order xmlns:o=\"urn:o\" id=\"7\"><i>1</i><i>2</i></o:order>");
    let mut two = message(JSON.0, JSON.1);
    through(
        "<foreach expression='json-eval($.items)'><sequence><payloadFactory media-type='json'><format>{\"n\":$1}</format><args><arg expression='$.id' evaluator='json'/></args></payloadFactory></sequence></foreach>",
        &mut two,
    );
    assert_eq!(body(&two), "{\"name\":\"Ann\",\"items\":[{\"n\":1},{\"n\":2}],\"note\":null}");
    let mut three = message(XML.0, XML.1);
    let lines = through(
        "<iterate expression='//o:item' continueParent='true' xmlns:o='urn:o'><target><sequence><log level='custom'><property name='i' expression='//@n'/></log></sequence></target></iterate>
        <clone continueParent='true'><target><sequence><payloadFactory><format><x xmlns=''/></format></payloadFactory></sequence></target></clone>",
        &mut three,
    );
    assert_eq!((lines, body(&three).as_str()), (vec!["i = 1".to_owned(), "i = 2".to_owned()], "(untouched)"));
}

#[test]
fn threats_are_found() {
    let bounds: String = ["maxPropertyCount", "maxStringLength", "maxArrayElementCount", "maxKeyLength", "maxJsonDepth"]
        .map(|name| format!("<property name='{name}' value='3'/>"))
        .concat();
    let guard = |name: &str| format!("<class name='org.wso2.carbon.apimgt.gateway.mediators.{name}'/>");
    let json = format!("{bounds}{}", guard("JsonSchemaValidator"));
    let xml_bounds: String = ["maxXMLDepth", "maxElementCount", "maxAttributeCount", "maxAttributeLength", "maxChildrenPerElement"]
        .map(|name| format!("<property name='{name}' value='3'/>"))
        .concat();
    let xml = format!("<property name='xmlValidation' value='true'/>{xml_bounds}{}", guard("XMLSchemaValidator"));
    let regex = format!(
        "<property name='threatType' value='SQL-Injection'/><property name='regex' value='drop\\s+table'/><property name='enabledCheckHeaders' value='true'/><property name='enabledCheckPathParams' value='true'/>{}",
        guard("RegularExpressionProtector")
    );
    let library = Library::new().with_sequence("_threat_fault_", Source::new("_threat_fault_.xml", "<sequence><respond/></sequence>"));
    for (inner, content_type, text, found) in [
        (&json, "application/json", "{\"a\":\"abc\",\"b\":[1,2,3]}", ""),
        (
            &json,
            "application/json",
            "{\"a\":\"abcd\"}",
            "Request is failed due to a JSON schema validation failure: Max String Length [3] Reached",
        ),
        (&json, "application/json", "[[[[1]]]]", "Request is failed due to a JSON schema validation failure: Depth Limit [3] Reached"),
        (
            &json,
            "application/json",
            "{\"abcd\":1}",
            "Request is failed due to a JSON schema validation failure: Max Key Length [3] Reached",
        ),
        (
            &json,
            "application/json",
            "{",
            "Request is failed due to a JSON schema validation failure: Error occurred while parsing the JSON payload",
        ),
        (&json, "text/plain", "x", "Neither request method nor content type is matched with the mediator"),
        (&xml, "application/xml", "<a><b/></a>", ""),
        (&xml, "application/xml", "<a><b><c><d/></c></b></a>", "XML Validation Failed: due to Maximum Element Depth limit (3) Exceeded"),
        (&xml, "text/xml", "<a b='1234'/>", "XML Validation Failed: due to Maximum attribute size limit (3) Exceeded"),
        (&regex, "application/json", "{\"q\":\"x; DROP  Table y\"}", "SQL-Injection Threat detected in Payload"),
        (&regex, "application/json", "{\"q\":\"fine\"}", ""),
    ] {
        let mut message = message(content_type, text);
        let end = program(&sequence(inner), &library).run(&mut message, &Limits::default()).end;
        if found.is_empty() {
            assert!(matches!(end, End::Continue), "{text}: {end:?}");
        } else {
            assert!(matches!(end, End::Respond), "{text}: {end:?}");
            assert_eq!(property(&message, "THREAT_DESC"), found, "{text}");
        }
        assert_eq!(body(&message), "(untouched)");
    }
}

#[test]
fn it_is_known_beforehand_what_happens_to_the_body() {
    for (inner, reads, writes) in [
        ("<property name='a' expression='$trp:b'/><log level='custom'/><log/><send/>", false, false),
        ("<property name='a' expression='//b'/>", true, false),
        ("<log level='full'/>", true, false),
        ("<filter source=\"json-eval($.a)\" regex='b'><drop/></filter>", true, false),
        ("<payloadFactory media-type='json'><format>{}</format></payloadFactory>", false, true),
        (
            "<payloadFactory media-type='json'><format>{}</format></payloadFactory><property name='a' expression='//b'/><log level='full'/>",
            false,
            true,
        ),
        (
            "<filter xpath='$ctx:a'><payloadFactory media-type='json'><format>{}</format></payloadFactory></filter><log level='full'/>",
            true,
            true,
        ),
        (
            "<filter xpath='$ctx:a'><then><payloadFactory media-type='json'><format>{}</format></payloadFactory></then><else><respond/></else></filter><log level='full'/>",
            false,
            true,
        ),
        ("<property name='messageType' value='application/xml' scope='axis2'/>", true, true),
        ("<script language='js'>1</script>", true, true),
        ("<call/>", true, true),
        ("<header name='X' value='1' scope='transport'/><header name='To' action='remove'/>", false, false),
    ] {
        let use_ = program(&sequence(inner), &Library::new()).body_use();
        assert_eq!((use_.reads, use_.writes), (reads, writes), "{inner}");
    }
    let mut message = Message::request("POST", "/");
    message.payload = crate::Payload::unread();
    through("<property name='a' expression='$axis2:HTTP_METHOD'/>", &mut message);
    assert_eq!(body(&message), "(untouched)");
    through("<payloadFactory media-type='json'><format>{}</format></payloadFactory>", &mut message);
    assert_eq!(body(&message), "{}");
}

#[test]
fn runs_are_bounded() {
    let looped = Library::new().with_sequence("s", Source::new("s.xml", "<sequence><sequence key='s'/></sequence>"));
    let end = |text: &str, library: &Library, limits: &Limits, mut message: Message| match program(&sequence(text), library)
        .run(&mut message, limits)
        .end
    {
        End::Fault(fault) => fault.message,
        other => format!("{other:?}"),
    };
    let limits = Limits::default();
    let fine = || message(JSON.0, JSON.1);
    assert_eq!(end("<sequence key='s'/>", &looped, &limits, fine()), "Sequences are nested too deeply");
    let few = Limits { steps: 3, ..Limits::default() };
    assert_eq!(end("<log/><log/><log/><log/>", &looped, &few, fine()), "The sequence ran too many mediators");
    let wide = format!("<a>{}</a>", "<b/>".repeat(3000));
    assert_eq!(
        end(
            "<property name='x' expression='count(//b[count(//b[count(//b)>0])>0])'/>",
            &looped,
            &limits,
            message("application/xml", &wide)
        ),
        "The expressions of the sequence looked at too much"
    );
    let doubling =
        "<property name='p' value='xxxxxxxxxx'/>".to_owned() + &"<property name='p' expression='concat($ctx:p,$ctx:p)'/>".repeat(25);
    let small = Limits { body_bytes: 100_000, ..Limits::default() };
    assert_eq!(end(&doubling, &looped, &small, fine()), "An expression made too long a text");
    for text in ["[".repeat(100_000), format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000))] {
        assert_eq!(
            end("<property name='x' expression='json-eval($.a)'/>", &looped, &limits, message("application/json", &text)),
            "Error while building message"
        );
    }
    for text in ["<a>".repeat(100_000), "<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;'>]><a>&c;</a>".to_owned(), "<a>&b;</a>".to_owned()]
    {
        assert_eq!(
            end("<property name='x' expression='//a'/>", &looped, &limits, message("text/xml", &text)),
            "Error while building message"
        );
    }
    let forever =
        "<foreach expression='//b'><sequence><foreach expression='//b'><sequence><log/></sequence></foreach></sequence></foreach>"
            .to_owned();
    assert_eq!(
        end(&forever, &looped, &Limits { steps: 2000, ..Limits::default() }, message("application/xml", &wide)),
        "The sequence ran too many mediators"
    );
    assert_eq!(
        end("<filter source='$ctx:t' regex='(a|aa)+(?=b)c'><drop/></filter>", &looped, &limits, {
            let mut message = fine();
            message.properties.set(Scope::Default, "t", "a".repeat(5000));
            message
        }),
        "A regular expression took too many steps"
    );
}

#[test]
fn a_sent_message_may_have_its_answer_received_by_a_sequence() {
    let library = Library::new()
        .with_sequence("got", Source::new("got.xml", "<sequence><property name='r' expression='json-eval($.r)'/><send/></sequence>"));
    let text = sequence("<send receive='got'><endpoint><address uri='http://b'/></endpoint></send><property name='after' value='1'/>");
    let mut one = message(JSON.0, JSON.1);
    let End::Call(call) = program(&text, &library).run(&mut one, &Limits::default()).end else { panic!("no call") };
    assert_eq!(call.request.target.as_ref().map(|t| t.uri.as_str()), Some("http://b/menu?size=2"));
    let answer = Answer {
        status: 200,
        headers: [("Content-Type", "application/json")].into_iter().collect(),
        body: Bytes::from_static(b"{\"r\":1}"),
    };
    assert!(matches!(call.resume.resume(&mut one, Ok(answer)).end, End::Respond));
    assert_eq!((property(&one, "r"), property(&one, "after"), one.direction), ("1".to_owned(), "(none)".to_owned(), Direction::Response));
}

#[test]
fn what_http_cannot_send_is_a_failure() {
    for (inner, told) in [
        ("<property name='X A' value='1' scope='transport'/>", "A transport header has a name that HTTP does not allow"),
        ("<header name='X:A' value='1' scope='transport'/>", "A transport header has a name that HTTP does not allow"),
        ("<property name='HTTP_METHOD' value='GET / HTTP/1.1' scope='axis2'/>", "HTTP_METHOD is set to what is no verb"),
        ("<send><endpoint><address uri='file:///etc/passwd'/></endpoint></send>", "Unexpected error during sending message out"),
        ("<send><endpoint><address uri='http://a/b c'/></endpoint></send>", "Unexpected error during sending message out"),
    ] {
        let mut message = message(JSON.0, JSON.1);
        let End::Fault(fault) = run(inner, &mut message).end else { panic!("no fault: {inner}") };
        assert_eq!(fault.message, told, "{inner}");
    }
    let mut one = message(JSON.0, JSON.1);
    through("<property name='REST_URL_POSTFIX' value='/a b&#10;c?d={e}%20' scope='axis2'/>", &mut one);
    assert_eq!(one.url_postfix, "/a%20b%0Ac?d=%7Be%7D%20");
    let mut two = message(JSON.0, JSON.1);
    two.payload = crate::Payload::unread();
    let End::Fault(fault) = run("<call/>", &mut two).end else { panic!("no fault") };
    assert_eq!(fault.message, "The body was not given to the sequence");
}

#[test]
fn nothing_of_a_message_is_in_its_debug_form() {
    let mut message = message("application/json", "{\"password\":\"hush-hush\"}");
    message.headers.append("Authorization", "Bearer hush-hush");
    message.properties.set(Scope::Default, "token", "hush-hush");
    assert!(!format!("{message:?}").contains("hush"));
}

#[test]
fn runs_may_wait_on_any_thread() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Program>();
    is_send::<Suspended>();
    is_send::<Ran>();
    is_send::<Message>();
}

#[test]
fn templates_run_with_their_parameters() {
    let template = |name: &str, text: &str| Source::new(format!("{name}.xml"), format!("<template name='{name}'>{text}</template>"));
    let library = Library::new()
        .with_local_entry(&template(
            "say",
            "<parameter name='a'/><parameter name='b' defaultValue='B'/><parameter name='never'/><sequence>
            <property name='said' expression=\"concat($ctx:said, '[', $func:a, $func:b, $func:never, $func:other, ']')\"/>
            <filter source='$func:a' regex='outer'><call-template target='say'><with-param name='a' value='inner'/></call-template></filter>
            <property name='said' expression=\"concat($ctx:said, get-property('func', 'a'))\"/></sequence>",
        ))
        .with_local_entry(&template("endless", "<sequence><call-template target='endless'/></sequence>"))
        .with_local_entry(&template("bad", "<parameter name='p'/><sequence><property name='x' expression='//a'/></sequence>"))
        .with_sequence(
            "caught",
            Source::new("caught.xml", "<sequence><property name='p' expression=\"concat('(', $func:p, ')')\"/></sequence>"),
        );
    let run = |inner: &str, message: &mut Message| program(inner, &library).run(message, &Limits::default()).end;
    let mut one = message(JSON.0, JSON.1);
    let text = "<call-template target='say'><with-param name='a' value='outer'/><with-param name='b' value='{json-eval($.name)}'/>\
                <with-param name='other' value='x'/></call-template><property name='left' expression=\"concat('(', $func:a, ')')\"/>";
    assert!(matches!(run(&sequence(text), &mut one), End::Continue));
    assert_eq!((property(&one, "said").as_str(), property(&one, "left").as_str()), ("[outerAnn][innerB]innerouter", "()"));
    let End::Fault(fault) = run(&sequence("<call-template target='endless'/>"), &mut one) else { panic!("it ended") };
    assert_eq!(fault.message, "Sequences are nested too deeply");
    let mut broken = message("application/json", "{");
    let text = "<sequence onError='caught'><call-template target='bad'><with-param name='p' value='1'/></call-template></sequence>";
    assert!(matches!(run(text, &mut broken), End::Drop));
    assert_eq!(property(&broken, "p"), "()");
}

#[test]
fn a_conditional_router_takes_the_routes_that_hold() {
    let library = Library::new().with_sequence("b", Source::new("b.xml", sequence("<property name='b' value='1'/>")));
    let route = |attributes: &str, value: &str, target: &str| {
        format!(
            "<conditionalRoute {attributes}><condition><equal type='header' source='X' value='{value}'/></condition>{target}</conditionalRoute>"
        )
    };
    let routes = [
        route("breakRoute='false'", "1", "<target><sequence><property name='a' value='1'/></sequence></target>"),
        route("", "1", "<target sequence='b'/>"),
        route("", "1", "<target><sequence><property name='c' value='1'/></sequence></target>"),
    ]
    .concat();
    for (continues, header, seen, ends) in
        [("true", "1", "11--", "Continue"), ("true", "2", "----", "Continue"), ("false", "1", "11--", "Drop")]
    {
        let inner =
            format!("<conditionalRouter continueAfter='{continues}'>{routes}</conditionalRouter><property name='d' value='{header}'/>");
        let mut one = message("", "");
        one.headers.set("X", header);
        let ran = program(&sequence(&inner), &library).run(&mut one, &Limits::default());
        assert!(format!("{:?}", ran.end).starts_with(ends), "{:?}", ran.end);
        let got: String = ["a", "b", "c"].map(|name| if property(&one, name) == "1" { '1' } else { '-' }).iter().collect();
        assert_eq!(got, seen[..3], "{continues} {header}");
        assert_eq!(property(&one, "d") == header, continues == "true");
    }
}
