//! Which mediators run, and how a message leaves.

use super::*;

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
