use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::message::{Value, Xml};
use crate::tree::Bounds;

struct Fixed;

impl Host for Fixed {
    fn property(&self, scope: Scope, name: &str) -> Option<Value> {
        match (scope, name) {
            (Scope::Default, "word") => Some("hello".into()),
            (Scope::Default, "seven") => Some(7.into()),
            (Scope::Default, "xml") => Some(Value::Xml(Xml(Arc::new(tree("<o><i>1</i><i>2</i></o>"))))),
            (Scope::Transport, "Content-Type") => Some("text/xml".into()),
            _ => None,
        }
    }

    fn get_property(&self, scope: &str, name: &str, format: Option<&str>) -> Option<Value> {
        Some(Value::Text(format!("{scope}/{name}/{}", format.unwrap_or("-"))))
    }

    fn query(&self, name: &str) -> String {
        format!("q:{name}")
    }
}

fn tree(text: &str) -> Tree {
    Tree::read(text, &Bounds { bytes: 100_000, elements: 10_000, nesting: 50 }).unwrap()
}

const DOCUMENT: &str = "<soapenv:Envelope xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/'><soapenv:Header><h/></soapenv:Header><soapenv:Body>\
<m:order xmlns:m='urn:m' id='o1' xml:lang='en-GB'><m:item n='1' price='10'>apple</m:item><m:item n='2' price='20'>pear</m:item><plain>  x  y </plain><!--c--><m:item n='3' price='30'><m:sub>deep</m:sub></m:item></m:order>\
</soapenv:Body></soapenv:Envelope>";

fn find(text: &str) -> Option<String> {
    let prefixes = [("m".to_owned(), Arc::from("urn:m")), ("soapenv".to_owned(), Arc::from("http://schemas.xmlsoap.org/soap/envelope/"))];
    let path = XPath::compile(text, &prefixes).unwrap_or_else(|e| panic!("{text}: {e}"));
    path.find(&Fixed, Some(&Arc::new(tree(DOCUMENT))), &mut 1_000_000).unwrap_or_else(|e| panic!("{text}: {e:?}")).text()
}

#[test]
fn expressions_find_what_they_mean() {
    for (text, found) in [
        // Paths and axes.
        ("//m:item[1]", "apple"),
        ("//m:item[2]/@price", "20"),
        ("//m:item[last()]/m:sub", "deep"),
        ("/soapenv:Envelope/soapenv:Body/m:order/@id", "o1"),
        ("$body/m:order/plain", "  x  y "),
        ("$body//m:sub", "deep"),
        ("$header/*", "<h/>"),
        ("soapenv:Body/*/m:item[@n='2']", "pear"),
        ("s11:Body/m:order/m:item[@n=1]/text()", "apple"),
        ("string(//m:sub/ancestor::m:item/@n)", "3"),
        ("string(//m:sub/..//@price)", "30"),
        ("string(//plain/preceding-sibling::*[1])", "pear"),
        ("string(//plain/following-sibling::*/m:sub)", "deep"),
        ("string(//m:sub/preceding::m:item[1])", "pear"),
        ("string(//m:item[1]/following::m:sub)", "deep"),
        ("count(//m:item)", "3.0"),
        ("count(//m:item | //m:sub | //m:item)", "4.0"),
        ("count(//@*)", "8.0"),
        ("count(/descendant-or-self::node())", "16.0"),
        ("count(//comment())", "1.0"),
        ("local-name(//m:order)", "order"),
        ("name(//*[@id])", "m:order"),
        ("namespace-uri($body/*)", "urn:m"),
        ("local-name($body/*)", "order"),
        ("(//m:item)[2]", "pear"),
        ("//m:item[position()>1][@price<25]", "pear"),
        ("//m:item[m:sub]/@n", "3"),
        ("//m:item[lang('en')][1]/@n", "1"),
        ("//self::m:sub", "deep"),
        ("//m:*[@n='1']", "apple"),
        // Text of what is found.
        ("//m:item[@n='3']", "<m:item xmlns:m=\"urn:m\" n=\"3\" price=\"30\"><m:sub>deep</m:sub></m:item>"),
        (
            "//m:item[@n<3]",
            "<m:item xmlns:m=\"urn:m\" n=\"1\" price=\"10\">apple</m:item><m:item xmlns:m=\"urn:m\" n=\"2\" price=\"20\">pear</m:item>",
        ),
        ("//missing", ""),
        // Functions.
        ("concat('a', \"b\", 1, true())", "ab1true"),
        ("fn:concat('a','b')", "ab"),
        ("substring('12345', 2, 3)", "234"),
        ("substring('12345', 1.5, 2.6)", "234"),
        ("substring('12345', 0)", "12345"),
        ("substring-before('a/b/c','/')", "a"),
        ("substring-after('a/b/c','/')", "b/c"),
        ("normalize-space(//plain)", "x y"),
        ("translate('bar','abc','AB')", "BAr"),
        ("starts-with('abc','ab') and contains('abc','c') and not(false())", "true"),
        ("string-length('äöü')", "3.0"),
        ("sum(//@price)", "60.0"),
        ("round(2.5) + floor(1.9) + ceiling(1.1) - 1", "5.0"),
        ("7 mod 4 * 2", "6.0"),
        ("-(-3)", "3.0"),
        ("10 div 4", "2.5"),
        ("10000000 * 10", "1.0E8"),
        ("number('x')", "NaN"),
        ("string(1 div 3 > 0.3)", "true"),
        ("boolean(//missing)", "false"),
        ("upper-case('abc')", "ABC"),
        ("base64Encode('user:pass')", "dXNlcjpwYXNz"),
        ("base64Decode('dXNlcjpwYXNz')", "user:pass"),
        ("hmac-generate('what do ya want for nothing?', 'Jefe')", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            "hmac-generate('what do ya want for nothing?', 'Jefe', 'HmacSHA256')",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        ("url-encode('a b/c*')", "a+b%2Fc*"),
        // Variables and properties.
        ("$ctx:word", "hello"),
        ("$ctx:seven", "7"),
        ("$ctx:seven + 1", "8.0"),
        ("$ctx:seven = 7", "true"),
        ("$trp:Content-Type", "text/xml"),
        ("$url:size", "q:size"),
        ("$ctx:xml", "<o><i>1</i><i>2</i></o>"),
        ("$ctx:xml//i[2]", "2"),
        ("sum($ctx:xml/i)", "3.0"),
        ("get-property('x')", "default/x/-"),
        ("get-property('axis2','x')", "axis2/x/-"),
        ("get-property('SYSTEM_DATE','yyyy')", "default/SYSTEM_DATE/yyyy"),
        ("synapse:get-property('transport','x')", "transport/x/-"),
        ("boolean($ctx:missing)", "false"),
        ("concat('[', $ctx:missing, ']')", "[]"),
        ("$ctx:missing = ''", "false"),
        ("$ctx:missing != 'x'", "false"),
        ("string($ctx:missing)", ""),
        ("//m:item/@n = 2", "true"),
        ("//m:item = 'pear'", "true"),
        ("//m:item != 'pear'", "true"),
    ] {
        assert_eq!(find(text).as_deref(), Some(found), "{text}");
    }
    assert_eq!(find("$ctx:missing"), None);
}

#[test]
fn it_is_known_beforehand_who_looks_into_the_body() {
    let reads = |text: &str| XPath::compile(text, &[]).unwrap().reads_body();
    for text in ["//a", "$body", "$body/*", "get-property('FAULT')", "count(.)", "concat($ctx:a, //b)", "string()", "$ctx:a[../b]/@c | //d"]
    {
        assert!(reads(text), "{text}");
    }
    for text in ["$ctx:a", "get-property('a')", "get-property('axis2','HTTP_SC') = 200", "concat('a/b', $trp:c)", "'//a'", "$ctx:a//b"] {
        assert!(!reads(text), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    for (text, why) in [
        ("", "the end is not expected there"),
        ("//", "the end is not expected there"),
        ("a[", "the end is not expected there"),
        ("concat('a')", "the function 'concat' has the wrong number of arguments"),
        ("foo()", "the function 'foo' is not known"),
        ("x:a", "the prefix 'x' is not declared"),
        ("'a", "a quoted text does not end"),
        ("$x", "the variable '$x' is not known"),
        ("a b", "the name 'b' is not expected there"),
        ("namespace::a", "the axis 'namespace' is not known"),
        ("1 = ", "the end is not expected there"),
        ("a#b", "'#' is not expected there"),
    ] {
        assert_eq!(XPath::compile(text, &[]).unwrap_err(), why, "{text}");
    }
    assert!(XPath::compile(&"(".repeat(5000), &[]).is_err());
    assert!(XPath::compile(&"1+".repeat(4000), &[]).is_err());
    assert!(XPath::compile(&format!("1{}", "[1".repeat(4000)), &[]).is_err());
}

#[test]
fn work_is_bounded() {
    let wide = format!("<a>{}</a>", "<b/>".repeat(2000));
    let path = XPath::compile("count(//b[count(//b[count(//b) > 0]) > 0])", &[]).unwrap();
    assert!(matches!(path.find(&Fixed, Some(&Arc::new(tree(&wide))), &mut 100_000), Err(Stopped::TooMuch)));
}

proptest! {
    #[test]
    fn any_text_is_compiled_or_refused(text in r#"[/a-c@$:*.()\[\]'"0-9 |=<>!+-]{0,40}|(//|\.\.|a|\[|\]|@\*|count\(|\)|1|\$ctx:a| and | div |=){0,12}"#) {
        if let Ok(path) = XPath::compile(&text, &[]) {
            let _ = path.find(&Fixed, Some(&Arc::new(tree(DOCUMENT))), &mut 10_000);
        }
    }
}
