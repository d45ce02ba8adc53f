//! Bodies made, moved and read.

use super::*;

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
