//! Scripts.

use super::*;

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
