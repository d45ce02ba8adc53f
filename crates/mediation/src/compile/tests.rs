//! Sequence in; obstacles or notes out.

use proptest::prelude::*;

use super::*;
use crate::{Limits, Message};

fn obstacles(inner: &str) -> Vec<String> {
    let text = format!("<sequence xmlns='http://ws.apache.org/ns/synapse'>\n{inner}</sequence>");
    match compile(&Source::new("s.xml", text), &Library::new()) {
        Ok(_) => Vec::new(),
        Err(obstacles) => obstacles.iter().map(|o| format!("{} {} {}: {}", o.line, o.mediator, o.subject, o.reason)).collect(),
    }
}

#[test]
fn what_cannot_run_is_named_with_its_place() {
    for (inner, named) in [
        ("<log/>\n<class name='com.acme.Own'/>", "3 class com.acme.Own: The mediator is Java code, which does not run here."),
        (
            "<class name='org.wso2.carbon.mediator.X'/>",
            "2 class org.wso2.carbon.mediator.X: The mediator is Java code, which does not run here.",
        ),
        (
            "<filter xpath='true()'><then>\n<xslt key='conf:/x.xslt'/></then></filter>",
            "3 xslt conf:/x.xslt: No stylesheet of this name was found.",
        ),
        ("<throttle id='A'/>", "2 throttle : A throttle needs a policy."),
        ("<call-template target='none'/>", "2 call-template none: No template of this name was found."),
        ("<aggregate/>", "2 aggregate : An aggregate needs an onComplete."),
        (
            "<iterate expression='//a'><target><sequence><call/></sequence></target></iterate>",
            "2 iterate : Copies make calls, and nothing brings the answers together.",
        ),
        ("<iterate expression='//a'><target to='http://x'/></iterate>", "2 target http://x: The target names an address by 'to'."),
        (
            "<clone continueParent='true'><target><sequence><call/></sequence></target></clone><aggregate><onComplete expression='//a'/></aggregate>",
            "2 clone continueParent: The message goes on to the aggregate as well as its copies.",
        ),
        ("<acme.send/>", "2 acme.send : Connectors do not run here."),
        ("<unheardOf/>", "2 unheardOf : Tidegate does not know this mediator."),
        ("<sequence key='none'/>", "2 sequence none: No sequence of this name was found."),
        ("<sequence key='{$ctx:x}'/>", "2 sequence {$ctx:x}: The sequence is chosen while the message runs, and there is none to choose."),
        ("<send><endpoint key='none'/></send>", "2 send none: No endpoint of this name was found."),
        ("<send><endpoint><failover/></endpoint></send>", "2 send failover: A group has to hold one to 32 <endpoint>s."),
        ("<property name='a' expression='//x['/>", "2 property //x[: The expression cannot be run: the end is not expected there."),
        ("<property name='a' expression='p:x'/>", "2 property p:x: The expression cannot be run: the prefix 'p' is not declared."),
        (
            "<property name='a' expression='json-eval($.a[?)'/>",
            "2 property json-eval($.a[?): The expression cannot be run: no '(' at letter 6.",
        ),
        (
            "<property name='a' expression=\"matches('a','b')\"/>",
            "2 property matches('a','b'): The expression cannot be run: the function 'matches' is not known.",
        ),
        ("<property name='a'/>", "2 property : The property has neither a value nor an expression."),
        ("<property value='a'/>", "2 property : The attribute 'name' is missing."),
        (
            "<property name='gov:/x' value='a' scope='registry'/>",
            "2 property registry: The property writes into the registry, which a gateway cannot do.",
        ),
        ("<property name='a' value='x' type='INTEGER'/>", "2 property x: The value is not of its type."),
        (
            "<filter source='x' regex='('><log/></filter>",
            "2 filter (: The regular expression cannot be run: Parsing error at position 1: Opening parenthesis without closing parenthesis.",
        ),
        (
            "<payloadFactory media-type='yaml'><format/></payloadFactory>",
            "2 payloadFactory yaml: There is no such media type for a payloadFactory.",
        ),
        (
            "<payloadFactory template-type='freemarker'><format/></payloadFactory>",
            "2 payloadFactory freemarker: Templates in FreeMarker do not run here.",
        ),
        ("<script language='groovy'>1</script>", "2 script groovy: Only JavaScript runs here."),
        (
            "<script language='js'>importPackage(java.util);</script>",
            "2 script : The script uses Java classes, which do not run here (line 1 of the script).",
        ),
        (
            "<script language='js'>var x = new java.util.Date();</script>",
            "2 script : The script uses Java classes, which do not run here (line 1 of the script).",
        ),
        (
            "<script language='js'>/* one\ntwo */ var a = 1; // java.util.Date\nvar s = mc.getPayloadXML().price;</script>",
            "2 script : The script walks through XML as code (E4X), which only the old engine knew (line 3 of the script).",
        ),
        (
            "<script language='js'>var s = mc.getPayloadXML()..symbol;</script>",
            "2 script : The script walks through XML as code (E4X), which only the old engine knew (line 1 of the script).",
        ),
        (
            "<script language='js'><![CDATA[mc.setPayloadXML(<a>{1}</a>);]]></script>",
            "2 script : The script writes XML as code (E4X), which only the old engine knew: unexpected token in expression: '<'.",
        ),
        (
            "<script language='js'>if (mc.getProperty('a').length() > 3) { print(1); }</script>",
            "2 script : The script asks a text for its length or letters as Java does (line 1 of the script).",
        ),
        (
            "<script language='js'>mc.getEnvironment().x();</script>",
            "2 script : The script calls mc.getEnvironment, which reaches into the old product.",
        ),
        (
            "<iterate expression='//a'><target><sequence><respond/></sequence></target></iterate>",
            "2 iterate respond: A copy of the message answers the client by itself, and the others are to go on.",
        ),
        (
            "<foreach expression='//a'><sequence><send/></sequence></foreach>",
            "2 foreach send: What comes of each part goes back to its place, and is not to be sent.",
        ),
        ("<enrich><source type='body'/></enrich>", "2 enrich : An enrich needs a source and a target."),
        ("<makefault version='soap11'><code value='x'/></makefault>", "2 makefault : A SOAP fault needs a code and a reason."),
        ("<log level='loud'/>", "2 log loud: There is no such log level."),
    ] {
        assert_eq!(obstacles(inner), [named], "{inner}");
    }
}

#[test]
fn all_obstacles_are_named_at_once() {
    let all = obstacles(
        "<class name='a.B'/>\n<filter source='((' regex='('><then><xslt/></then><else><dbreport/></else></filter>\n<switch source='//['><case regex='*'><store/></case></switch>",
    );
    let lines: Vec<_> = all.iter().map(|o| o.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["2 class", "3 filter", "3 filter", "3 xslt", "3 dbreport", "4 switch", "4 case", "4 store"]);
}

#[test]
fn an_obstacle_in_a_named_sequence_names_its_own_file() {
    let library = Library::new().with_sequence("inner", Source::new("inner.xml", "<sequence>\n\n<ejb/></sequence>"));
    let found =
        compile(&Source::new("s.xml", "<sequence><sequence key='inner'/><sequence key='inner'/></sequence>"), &library).unwrap_err();
    assert_eq!(found.iter().map(|o| (&*o.file, o.line)).collect::<Vec<_>>(), [("inner.xml", 3)]);
    assert!(found[0].to_string().starts_with("inner.xml:3: <ejb>: The mediator is Java code"));
}

#[test]
fn a_sequence_may_be_chosen_by_the_message() {
    let library = Library::new()
        .with_sequence("a", Source::new("a.xml", "<sequence><property name='went' value='a'/></sequence>"))
        .with_sequence("aa", Source::new("aa.xml", "<sequence><sequence key='bad'/></sequence>"))
        .with_sequence("bad", Source::new("bad.xml", "<sequence><xslt/></sequence>"))
        .with_sequence("self", Source::new("self.xml", "<sequence><sequence key='{$ctx:which}'/></sequence>"));
    let program =
        std::sync::Arc::new(compile(&Source::new("s.xml", "<sequence><sequence key='{$ctx:which}'/></sequence>"), &library).unwrap());
    assert!(program.notes().iter().any(|note| note.says.ends_with("aa, bad.")));
    for (which, end) in [("a", "Continue"), ("aa", "Fault"), ("bad", "Fault"), ("none", "Fault"), ("self", "Fault")] {
        let mut message = Message::request("GET", "/");
        message.properties.set(crate::Scope::Default, "which", which);
        let ran = program.run(&mut message, &Limits::default());
        assert!(format!("{:?}", ran.end).starts_with(end), "{which}: {:?}", ran.end);
    }
}

#[test]
fn what_is_no_sequence_is_an_obstacle() {
    for text in ["", "<api/>", "<sequence>", "<!DOCTYPE sequence [<!ENTITY a 'b'>]><sequence>&a;</sequence>"] {
        let found = compile(&Source::new("s.xml", text), &Library::new()).unwrap_err();
        assert_eq!(found.len(), 1, "{text}");
    }
}

#[test]
fn a_stock_sequence_that_tidegate_does_itself_need_not_be_there() {
    let text = "<sequence><sequence key='_cors_request_handler_'/><sequence key='_build_'/></sequence>";
    let program = compile(&Source::new("s.xml", text), &Library::new()).unwrap();
    assert_eq!(program.notes().len(), 2);
    let own = Library::new().with_sequence("_build_", Source::new("b.xml", "<sequence><class name='com.acme.Own'/></sequence>"));
    assert_eq!(compile(&Source::new("s.xml", text), &own).unwrap_err()[0].subject, "com.acme.Own", "a site's own counts");
}

#[test]
fn what_tidegate_does_itself_is_a_note() {
    let text = "<sequence><class name='org.wso2.carbon.apimgt.usage.publisher.APIMgtFaultHandler'/><builder/></sequence>";
    let program = compile(&Source::new("s.xml", text), &Library::new()).unwrap();
    let notes: Vec<String> = program.notes().iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[0], "s.xml:1: <class>: APIMgtFaultHandler recorded calls for analytics; Tidegate records every call by itself.");
    assert_eq!(program.body_use(), BodyUse::default());
}

fn mediators() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("<log level='full'/>"),
        Just("<property name='a' expression='//a/b'/>"),
        Just(
            "<rewrite><rewriterule><condition><match type='url' regex='.*'/></condition><action value='/x' type='append' fragment='path'/></rewriterule></rewrite>"
        ),
        Just(
            "<throttle id='t'><policy><p><ID type='IP'>other</ID><MaximumCount>1</MaximumCount><UnitTime>5</UnitTime></p></policy><onReject><log level='full'/></onReject></throttle>"
        ),
        Just("<cache collector='false'><onCacheHit><log level='full'/></onCacheHit></cache>"),
        Just("<cache collector='true'/>"),
        Just("<iterate expression='//a'><target><sequence><send/></sequence></target></iterate>"),
        Just(
            "<iterate expression='json-eval($.a)' continueParent='true' preservePayload='true'><target><sequence><send/><drop/></sequence></target></iterate>"
        ),
        Just("<aggregate><onComplete expression='//a'/></aggregate>"),
        Just(
            "<conditionalRouter continueAfter='true'><conditionalRoute><condition><equal type='soap' source='//a' value='1'/></condition><target/></conditionalRoute></conditionalRouter>"
        ),
        Just("<xslt key='x'/>"),
        Just("<xslt key='x' target='t'/>"),
        Just(
            "<validate><schema key='s'/><on-fail><makefault version='soap12'><code value='a'/><reason value='b'/></makefault></on-fail></validate>"
        ),
        Just("<property name='a' expression='json-eval($..a)'/>"),
        Just("<property name='messageType' value='application/xml' scope='axis2'/>"),
        Just("<property name='messageType' value='application/json' scope='axis2'/>"),
        Just("<property name='messageType' value='text/xml' scope='axis2'/>"),
        Just("<property name='RESPONSE' value='true'/>"),
        Just("<payloadFactory media-type='json'><format>{\"x\":$1}</format><args><arg expression='//a'/></args></payloadFactory>"),
        Just("<payloadFactory><format><x xmlns=''>$1</x></format><args><arg expression='$.a' evaluator='json'/></args></payloadFactory>"),
        Just("<enrich><source xpath='//a'/><target type='body' action='child'/></enrich>"),
        Just("<enrich><source xpath='json-eval($.a)'/><target xpath='json-eval($.b)'/></enrich>"),
        Just("<enrich><source type='envelope'/><target type='property' property='e'/></enrich>"),
        Just("<makefault version='soap12'><code value='a'/><reason value='b'/></makefault>"),
        Just("<header name='h' value='1'/>"),
        Just("<send/>"),
        Just("<call/>"),
        Just("<drop/>"),
    ];
    leaf.prop_map(str::to_owned).prop_recursive(3, 24, 4, |inner| {
        prop::collection::vec(inner, 1..4).prop_map(|all| {
            let all = all.concat();
            match all.len() % 4 {
                0 => format!("<filter xpath='//a'><then>{all}</then><else><respond/></else></filter>"),
                1 => format!("<sequence>{all}</sequence>"),
                2 => format!(
                    "<foreach expression='//a'><sequence>{}</sequence></foreach>",
                    if all.contains("<call") || all.contains("<send") || all.contains("<respond") { "<log/>" } else { &all }
                ),
                _ => format!("<switch source='//a'><case regex='1'>{all}</case></switch>"),
            }
        })
    })
}

proptest! {
    /// Whatever is strung together runs to some end, and a body that is not said to be read may be left out.
    #[test]
    fn any_sequence_runs_to_an_end(
        steps in prop::collection::vec(mediators(), 0..6),
        body in prop_oneof![Just(("application/json", "{\"a\":[1,{\"a\":2}]}")), Just(("application/xml", "<r><a>1</a><a><b/></a></r>")), Just(("text/xml", "<a")), Just(("", "")), Just(("text/plain", "a"))],
    ) {
        let text = format!("<sequence>{}</sequence>", steps.concat());
        let sheet = "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><xsl:template match='/'><r><xsl:copy-of select='.'/></r></xsl:template></xsl:stylesheet>";
        let schema = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='r'/></xs:schema>";
        let library = Library::new().with_entry("x", Source::new("x", sheet)).with_entry("s", Source::new("s", schema));
        let program = std::sync::Arc::new(compile(&Source::new("s.xml", text), &library).unwrap());
        let mut message = Message::request("POST", "/a?b=c");
        if !body.0.is_empty() {
            message.headers.append("Content-Type", body.0);
        }
        let mut without = message.clone();
        without.payload = crate::Payload::unread();
        message.set_body(bytes::Bytes::from_static(body.1.as_bytes()));
        let mut ran = program.run(&mut message, &Limits::default());
        let mut calls = 0;
        while let crate::End::Call(call) = ran.end {
            calls += 1;
            prop_assert!(calls < 100);
            let answer = crate::Answer { status: 200, headers: crate::Headers::new(), body: bytes::Bytes::from_static(b"x") };
            ran = call.resume.resume(&mut message, Ok(answer));
        }
        let body_use = program.body_use();
        if !body_use.writes {
            prop_assert_eq!(message.payload.rewritten(), None);
        }
        if !body_use.reads {
            let ran = program.run(&mut without, &Limits::default());
            if let crate::End::Fault(fault) = ran.end {
                prop_assert_ne!(fault.message, "The body was not given to the sequence");
            }
        }
    }
}
