//! Stylesheets through the mediator, as sequences use them.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use crate::{Direction, End, Library, Limits, Message, Payload, Scope, Source};

const HEAD: &str = "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>";

fn library(sheet: &str) -> Library {
    let whole = if sheet.contains("<xsl:stylesheet") { sheet.to_owned() } else { format!("{HEAD}{sheet}</xsl:stylesheet>") };
    Library::new().with_entry("gov:/t/main.xsl", Source::new("main.xsl", whole))
}

fn run_in(library: &Library, mediator: &str, body: &str, limits: &Limits) -> (Message, End, Vec<String>) {
    let source = Source::new("s.xml", format!("<sequence>{mediator}</sequence>"));
    let program = Arc::new(crate::compile(&source, library).map_err(|o| o[0].to_string()).unwrap());
    let mut message = Message::request("POST", "/");
    message.headers.set("Content-Type", "application/xml");
    message.payload = Payload::whole(body.to_owned().into());
    message.properties.set(Scope::Default, "who", "Ann");
    let ran = program.run(&mut message, limits);
    let lines = ran.log.into_iter().map(|line| line.text).collect();
    (message, ran.end, lines)
}

/// What a stylesheet makes of a body.
fn made(sheet: &str, body: &str) -> String {
    let (message, end, _) = run_in(&library(sheet), "<xslt key='gov:/t/main.xsl'/>", body, &Limits::default());
    match end {
        End::Continue => message.payload.bytes().map(|b| String::from_utf8(b.to_vec()).unwrap()).unwrap_or_default(),
        End::Fault(fault) => format!("fault: {}", fault.message.split("reason : ").last().unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

fn obstacles(sheet: &str) -> Vec<String> {
    let source = Source::new("s.xml", "<sequence><xslt key='gov:/t/main.xsl'/></sequence>");
    crate::compile(&source, &library(sheet)).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

const ORDERS: &str = "<orders><order id='1' for='Bo'><item n='2' price='1.5'>tea</item><item n='1' price='20'>mug</item></order>\
                      <order id='2' for='Al'><item n='10' price='0.5'>pin</item></order></orders>";

#[test]
fn instructions_do_what_they_say() {
    for (sheet, expected) in [
        // Templates, modes, priorities and what happens without one.
        ("<xsl:template match='/'><r><xsl:apply-templates/></r></xsl:template>", "<r>teamugpin</r>"),
        (
            "<xsl:template match='orders'><r><xsl:apply-templates select='order/item' mode='m'/></r></xsl:template>\
             <xsl:template match='item' mode='m'><b><xsl:value-of select='@n'/></b></xsl:template>\
             <xsl:template match='item[@n=10]' mode='m'><ten/></xsl:template><xsl:template match='item'><never/></xsl:template>",
            "<r><b>2</b><b>1</b><ten/></r>",
        ),
        (
            "<xsl:template match='/'><r><xsl:apply-templates select='//item'/></r></xsl:template>\
             <xsl:template match='item' priority='2'>a</xsl:template><xsl:template match='order/item'>b</xsl:template>",
            "<r>aaa</r>",
        ),
        // The identity with one thing changed, as most stylesheets are.
        (
            "<xsl:template match='@*|node()'><xsl:copy><xsl:apply-templates select='@*|node()'/></xsl:copy></xsl:template>\
             <xsl:template match='order[@id=2]'/><xsl:template match='@price'><xsl:attribute name='cost'><xsl:value-of select='. * 2'/></xsl:attribute></xsl:template>",
            "<orders><order id=\"1\" for=\"Bo\"><item n=\"2\" cost=\"3\">tea</item><item n=\"1\" cost=\"40\">mug</item></order></orders>",
        ),
        // Named templates, parameters and their own values, recursion.
        (
            "<xsl:template match='/'><r><xsl:call-template name='stars'><xsl:with-param name='n' select='3'/></xsl:call-template></r></xsl:template>\
             <xsl:template name='stars'><xsl:param name='n'/><xsl:param name='sign'>*</xsl:param><xsl:if test='$n &gt; 0'><xsl:value-of select='$sign'/>\
             <xsl:call-template name='stars'><xsl:with-param name='n' select='$n - 1'/></xsl:call-template></xsl:if></xsl:template>",
            "<r>***</r>",
        ),
        // Sorting.
        (
            "<xsl:template match='/'><r><xsl:for-each select='//item'><xsl:sort select='@n' data-type='number' order='descending'/><xsl:value-of select='concat(position(),.,last(),\" \")'/></xsl:for-each></r></xsl:template>",
            "<r>1pin3 2tea3 3mug3 </r>",
        ),
        (
            "<xsl:template match='/'><r><xsl:apply-templates select='//order'><xsl:sort select='@for'/></xsl:apply-templates></r></xsl:template>\
             <xsl:template match='order'><xsl:value-of select='@for'/></xsl:template>",
            "<r>AlBo</r>",
        ),
        // Choosing.
        (
            "<xsl:template match='/'><r><xsl:for-each select='//item'><xsl:choose><xsl:when test='@price &gt; 10'>H</xsl:when><xsl:when test='@price &gt; 1'>M</xsl:when><xsl:otherwise>L</xsl:otherwise></xsl:choose></xsl:for-each></r></xsl:template>",
            "<r>MHL</r>",
        ),
        // Elements and attributes by name, with and without a namespace; attribute value templates.
        (
            "<xsl:template match='/'><xsl:element name='p:{name(*)}' namespace='urn:p'><xsl:attribute name='q:a' namespace='urn:q'>1</xsl:attribute><xsl:element name='in'/></xsl:element></xsl:template>",
            "<p:orders xmlns:p=\"urn:p\" xmlns:q=\"urn:q\" q:a=\"1\"><in/></p:orders>",
        ),
        ("<xsl:template match='/'><r a='{{{count(//item)}}}' b=\"{concat('}',1)}\"/></xsl:template>", "<r a=\"{3}\" b=\"}1\"/>"),
        // Variables that hold trees, and copies of them.
        (
            "<xsl:variable name='g'><a><b>1</b></a></xsl:variable>\
             <xsl:template match='/'><xsl:variable name='v'><x><xsl:copy-of select='$g'/></x></xsl:variable><r n='{string-length($v)}'><xsl:copy-of select='$v'/><xsl:copy-of select='$v'/></r></xsl:template>",
            "<r n=\"1\"><x><a><b>1</b></a></x><x><a><b>1</b></a></x></r>",
        ),
        (
            "<xsl:template match='/' xmlns:x='http://exslt.org/common'><xsl:variable name='v'><i>2</i><i>3</i></xsl:variable><r><xsl:value-of select='sum(x:node-set($v)/i)'/></r></xsl:template>",
            "<r xmlns:x=\"http://exslt.org/common\">5</r>",
        ),
        // Variables of the stylesheet, in any order.
        (
            "<xsl:variable name='a' select='$b + 1'/><xsl:variable name='b' select='count(//item)'/><xsl:template match='/'><r><xsl:value-of select='$a'/></r></xsl:template>",
            "<r>4</r>",
        ),
        // Keys, current(), grouping with generate-id().
        (
            "<xsl:key name='k' match='item' use='@n'/><xsl:template match='/'><r><xsl:value-of select=\"key('k','10')\"/></r></xsl:template>",
            "<r>pin</r>",
        ),
        (
            "<xsl:key name='first' match='item' use='string-length(.)'/>\
             <xsl:template match='/'><r><xsl:for-each select=\"//item[generate-id()=generate-id(key('first',string-length(.))[1])]\"><g n=\"{count(key('first',string-length(.)))}\"/></xsl:for-each></r></xsl:template>",
            "<r><g n=\"3\"/></r>",
        ),
        (
            "<xsl:template match='/'><r><xsl:for-each select='//order'><xsl:value-of select='count(//order[@id &lt; current()/@id])'/></xsl:for-each></r></xsl:template>",
            "<r>01</r>",
        ),
        // Numbers.
        (
            "<xsl:template match='/'><r><xsl:for-each select='//item'><xsl:number level='multiple' count='order|item' format='1.a'/>,</xsl:for-each><xsl:for-each select='//item'><xsl:number level='any'/></xsl:for-each><xsl:number value='9' format='I'/></r></xsl:template>",
            "<r>1.a,1.b,2.a,123IX</r>",
        ),
        (
            "<xsl:decimal-format name='de' decimal-separator=',' grouping-separator='.'/><xsl:template match='/'><r><xsl:value-of select=\"format-number(1234.5,'#.##0,00','de')\"/></r></xsl:template>",
            "<r>1.234,50</r>",
        ),
        // Comments, instructions, texts, what is written without escaping.
        (
            "<xsl:template match='/'><r><xsl:comment>a--b</xsl:comment><xsl:processing-instruction name='go'>x</xsl:processing-instruction><xsl:text> &lt; </xsl:text></r></xsl:template>",
            "<r><!--a- -b--><?go x?> &lt; </r>",
        ),
        (
            "<xsl:template match='/'><r><xsl:text disable-output-escaping='yes'>&lt;![CDATA[&lt;x&gt;]]&gt;</xsl:text><xsl:value-of disable-output-escaping='yes' select=\"'&lt;y/&gt;'\"/></r></xsl:template>",
            "<r>&lt;x&gt;<y/></r>",
        ),
        // Attribute sets, namespace aliases.
        (
            "<xsl:attribute-set name='s'><xsl:attribute name='a'>1</xsl:attribute><xsl:attribute name='b'>2</xsl:attribute></xsl:attribute-set><xsl:template match='/'><r xsl:use-attribute-sets='s' b='3'/></xsl:template>",
            "<r a=\"1\" b=\"3\"/>",
        ),
    ] {
        assert_eq!(made(sheet, ORDERS), expected, "{sheet}");
    }
}

#[test]
fn namespaces_come_and_go_as_they_are_told() {
    let sheet = |more: &str, body: &str| {
        format!(
            "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform' xmlns:a='urn:a' xmlns='urn:d' {more}>{body}</xsl:stylesheet>"
        )
    };
    let body = "<a:in xmlns:a='urn:a' a:k='v'><a:x>1</a:x></a:in>";
    let template = "<xsl:template match='/'><r><xsl:value-of select='a:in/a:x'/><xsl:value-of select='a:in/@a:k'/></r></xsl:template>";
    assert_eq!(made(&sheet("", template), body), "<r xmlns:a=\"urn:a\" xmlns=\"urn:d\">1v</r>");
    assert_eq!(made(&sheet("exclude-result-prefixes='a'", template), body), "<r xmlns=\"urn:d\">1v</r>");
    let stripped =
        "<xsl:template match='*'><xsl:element name='{local-name()}' namespace=''><xsl:apply-templates/></xsl:element></xsl:template>";
    assert_eq!(made(&sheet("", stripped), body), "<in><x>1</x></in>");
    let alias = "<xsl:namespace-alias stylesheet-prefix='a' result-prefix='#default'/><xsl:template match='/'><a:r/></xsl:template>";
    assert_eq!(made(&sheet("", alias), body), "<r xmlns=\"urn:d\"/>");
    let copied = "<xsl:template match='/'><xsl:copy-of select='a:in/a:x'/></xsl:template>";
    assert_eq!(made(&sheet("", copied), body), "<a:x xmlns:a=\"urn:a\">1</a:x>");
}

#[test]
fn white_space_goes_where_it_is_told_to() {
    let body = "<a> <b> </b> <c>x </c> </a>";
    let copy = "<xsl:template match='/'><xsl:copy-of select='.'/></xsl:template>";
    assert_eq!(made(copy, body), body);
    assert_eq!(made(&format!("<xsl:strip-space elements='*'/>{copy}"), body), "<a><b/><c>x </c></a>");
    assert_eq!(made(&format!("<xsl:strip-space elements='*'/><xsl:preserve-space elements='b'/>{copy}"), body), "<a><b> </b><c>x </c></a>");
}

#[test]
fn imports_stand_behind_what_imports_them() {
    let main = format!(
        "{HEAD}<xsl:import href='lib/base.xsl'/><xsl:include href='more.xsl'/><xsl:variable name='v'>main</xsl:variable>\
         <xsl:template match='a'><m><xsl:apply-imports/></m></xsl:template></xsl:stylesheet>"
    );
    let entry = |text: &str| Source::new("f", format!("{HEAD}{text}</xsl:stylesheet>"));
    let library = library(&main)
        .with_entry(
            "gov:/t/lib/base.xsl",
            entry("<xsl:variable name='v'>base</xsl:variable><xsl:template match='a'><b><xsl:value-of select='$v'/><xsl:apply-templates/></b></xsl:template><xsl:template match='c'>old</xsl:template>"),
        )
        .with_entry("gov:/t/more.xsl", entry("<xsl:template match='c'>new</xsl:template>"));
    let (message, ..) = run_in(&library, "<xslt key='gov:/t/main.xsl'/>", "<a><c/></a>", &Limits::default());
    assert_eq!(message.payload.bytes().unwrap(), "<m><b>mainnew</b></m>");
    let circle = self::library("<xsl:import href='main.xsl'/>");
    let source = Source::new("s.xml", "<sequence><xslt key='gov:/t/main.xsl'/></sequence>");
    let found = crate::compile(&source, &circle).unwrap_err();
    assert!(found[0].to_string().contains("imports itself"), "{found:?}");
}

#[test]
fn the_mediator_takes_and_puts_where_it_is_told() {
    let library = library(
        "<xsl:param name='by'>nobody</xsl:param><xsl:param name='not'>kept</xsl:param>\
         <xsl:template match='b'><n by='{$by}' not='{$not}'><xsl:value-of select='.'/></n></xsl:template><xsl:template match='/a'><whole/></xsl:template>",
    );
    let run = |mediator: &str| run_in(&library, mediator, "<a><b>1</b></a>", &Limits::default());
    let body = |message: &Message| String::from_utf8(message.payload.bytes().unwrap().to_vec()).unwrap();
    let (message, ..) = run(
        "<xslt key='gov:/t/main.xsl' source='//b'><property name='by' expression='$ctx:who'/><property name='not' expression='$ctx:none'/></xslt>",
    );
    assert_eq!(body(&message), "<a><n by=\"Ann\" not=\"kept\">1</n></a>");
    let (message, ..) = run("<xslt key='gov:/t/main.xsl' target='out'/><property name='shown' expression='$ctx:out'/>");
    assert_eq!(message.payload.rewritten(), None);
    assert_eq!(message.properties.get(Scope::Default, "out").unwrap().to_string(), "<whole/>");
    let (message, ..) = run("<xslt key='{$ctx:key}'/>");
    assert_eq!(
        message.property(Scope::Default, "ERROR_MESSAGE").unwrap().to_string(),
        "Unable to perform XSLT transformation using : {$ctx:key} against source XPath : the body's first element reason : there is no stylesheet of the name that the message gives"
    );
    let (message, ..) = run("<property name='key' value='gov:/t/main.xsl'/><xslt key='{$ctx:key}'/>");
    assert_eq!(body(&message), "<whole/>");
    let (_, end, lines) = run_in(&library, "<xslt key='gov:/t/main.xsl'/>", "", &Limits::default());
    assert!(matches!(end, End::Continue));
    assert_eq!(lines, ["Found empty soap body, skipping XSLT transformation and continuing the mediation"]);
    let (_, end, _) = run("<xslt key='gov:/t/main.xsl' source='//none'/>");
    assert!(matches!(end, End::Fault(_)));
}

#[test]
fn text_is_the_body_of_a_text_message() {
    let library = library(
        "<xsl:output method='text'/><xsl:template match='/'><xsl:for-each select='//b'><xsl:value-of select='.'/><xsl:text>&#10;</xsl:text></xsl:for-each></xsl:template>",
    );
    let mediators = "<xslt key='gov:/t/main.xsl'/><property name='messageType' value='text/plain' scope='axis2'/>";
    let (message, ..) = run_in(&library, mediators, "<a><b>1</b><b>2</b></a>", &Limits::default());
    assert_eq!(message.payload.bytes().unwrap(), "1\n2\n");
}

#[test]
fn json_is_transformed_as_the_xml_it_is_to_sequences() {
    let library = library(
        "<xsl:template match='/jsonObject'><jsonObject><total><xsl:value-of select='sum(item/n)'/></total></jsonObject></xsl:template>",
    );
    let source = Source::new("s.xml", "<sequence><xslt key='gov:/t/main.xsl'/></sequence>");
    let program = Arc::new(crate::compile(&source, &library).unwrap());
    let mut message = Message::request("POST", "/");
    message.direction = Direction::Request;
    message.headers.set("Content-Type", "application/json");
    message.payload = Payload::whole("{\"item\":[{\"n\":1},{\"n\":2}]}".into());
    program.run(&mut message, &Limits::default());
    assert_eq!(message.payload.bytes().unwrap(), "{\"total\":3}");
}

#[test]
fn messages_are_logged_and_may_end_it() {
    let library = library("<xsl:template match='/'><r><xsl:message>seen <xsl:value-of select='name(*)'/></xsl:message></r></xsl:template>");
    let (_, _, lines) = run_in(&library, "<xslt key='gov:/t/main.xsl'/>", "<a/>", &Limits::default());
    assert_eq!(lines, ["seen a"]);
    let ends = "<xsl:template match='/'><r><xsl:message terminate='yes'>no</xsl:message></r></xsl:template>";
    assert_eq!(made(ends, "<a/>"), "fault: the stylesheet ended it: no");
}

#[test]
fn what_cannot_run_is_named_with_its_line() {
    for (sheet, why) in [
        (
            "<xsl:template match='/'>\n<xsl:value-of select=\"document('x')\"/></xsl:template>",
            "main.xsl:2: <value-of>: The stylesheet cannot run: in 'document('x')' document()",
        ),
        ("<xsl:template match='/'><xsl:for-each-group select='a'/></xsl:template>", "'for-each-group' is not of XSLT 1.0"),
        ("<xsl:function name='f'/>", "'function' is not of XSLT 1.0"),
        ("<xsl:template match='/'><xsl:value-of select='$x'/></xsl:template>", "there is no variable 'x'"),
        ("<xsl:template match='/'><xsl:call-template name='t'/></xsl:template>", "there is no template 't'"),
        (
            "<xsl:template match='/'><r xmlns:d='http://exslt.org/dates-and-times' a='{d:date()}'/></xsl:template>",
            "extension function 'd:date'",
        ),
        ("<xsl:template match='a/../b'/>", "a pattern has child and attribute steps only"),
        ("<xsl:template match='/'><r a='{1'/></xsl:template>", "the braces"),
        ("<xsl:template match='/'><xsl:value-of select='upper-case(.)'/></xsl:template>", "XSLT 1.0 has no function 'upper-case'"),
        ("<xsl:import href='gone.xsl'/>", "'gone.xsl' was not found"),
        ("<xsl:template name='a'/><xsl:template name='a'/>", "two templates have the same name"),
    ] {
        let found = obstacles(sheet);
        assert!(found.iter().any(|line| line.contains(why)), "{sheet}: {found:?}");
    }
    let source = Source::new("s.xml", "<sequence><xslt key='gone'/></sequence>");
    assert!(crate::compile(&source, &Library::new()).unwrap_err()[0].reason.contains("No stylesheet"));
    let none = Library::new().with_entry("x", Source::new("x", "<a/>"));
    let source = Source::new("s.xml", "<sequence><xslt key='x'/></sequence>");
    assert!(crate::compile(&source, &none).unwrap_err()[0].reason.contains("no stylesheet"));
}

#[test]
fn a_stylesheet_can_loop_and_not_without_end() {
    let count = |to: u32| {
        format!(
            "<xsl:template match='/'><r><xsl:call-template name='t'/></r></xsl:template><xsl:template name='t'><xsl:param name='n' select='0'/>\
             <xsl:choose><xsl:when test='$n &lt; {to}'><xsl:call-template name='t'><xsl:with-param name='n' select='$n + 1'/></xsl:call-template></xsl:when>\
             <xsl:otherwise><xsl:value-of select='$n'/></xsl:otherwise></xsl:choose></xsl:template>"
        )
    };
    assert_eq!(made(&count(5000), "<a/>"), "<r>5000</r>");
    assert_eq!(made(&count(100_000_000), "<a/>"), "fault: the stylesheet looked at too much");
    let deep = "<xsl:template match='/'><r><xsl:call-template name='t'/></r></xsl:template><xsl:template name='t'><b><xsl:call-template name='t'/></b></xsl:template>";
    assert_eq!(made(deep, "<a/>"), "fault: the templates of the stylesheet call each other too deeply");
    let doubling = "<xsl:template match='/'><r><xsl:call-template name='t'><xsl:with-param name='s'>0123456789</xsl:with-param></xsl:call-template></r></xsl:template>\
                    <xsl:template name='t'><xsl:param name='s'/><xsl:call-template name='t'><xsl:with-param name='s'><xsl:value-of select='concat($s,$s)'/></xsl:with-param></xsl:call-template></xsl:template>";
    assert_eq!(made(doubling, "<a/>"), "fault: the stylesheet made too large a document");
    let trees = "<xsl:template match='/'><r><xsl:call-template name='t'><xsl:with-param name='s'><a/></xsl:with-param></xsl:call-template></r></xsl:template>\
                 <xsl:template name='t'><xsl:param name='s'/><xsl:call-template name='t'><xsl:with-param name='s'><xsl:copy-of select='$s'/><xsl:copy-of select='$s'/></xsl:with-param></xsl:call-template></xsl:template>";
    assert_eq!(made(trees, "<a/>"), "fault: the stylesheet made too large a document");
    let circle = "<xsl:variable name='a' select='$b'/><xsl:variable name='b' select='$a'/><xsl:template match='/'><r/></xsl:template>";
    assert_eq!(made(circle, "<a/>"), "fault: variables of the stylesheet need each other's values");
}

#[test]
fn a_deep_document_fits_the_stack_of_a_thread() {
    let mut deep = String::new();
    for i in 0..190 {
        write!(deep, "<e{i}>").unwrap();
    }
    for i in (0..190).rev() {
        write!(deep, "</e{i}>").unwrap();
    }
    let identity = "<xsl:template match='@*|node()'><xsl:copy><xsl:apply-templates select='@*|node()'/></xsl:copy></xsl:template>";
    assert!(made(identity, &deep).starts_with("<e0><e1>"));
}

#[test]
fn what_is_no_single_document_is_a_failure() {
    assert_eq!(made("<xsl:template match='/'>words</xsl:template>", "<a/>"), "fault: Unable to create an OMElement using XSLT result");
    assert_eq!(made("<xsl:template match='/'><a/><b/></xsl:template>", "<a/>"), "fault: Unable to create an OMElement using XSLT result");
}

fn instructions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("<xsl:value-of select='.'/>"),
        Just("<xsl:copy-of select='//a | @*'/>"),
        Just("<xsl:attribute name='{local-name()}x'><xsl:value-of select='position()'/></xsl:attribute>"),
        Just("<xsl:apply-templates/>"),
        Just("<xsl:apply-templates select='@*|node()' mode='m'/>"),
        Just("<xsl:apply-imports/>"),
        Just("<xsl:call-template name='t'><xsl:with-param name='p' select='..'/></xsl:call-template>"),
        Just("<xsl:number level='any' count='*' format='i'/>"),
        Just("<xsl:comment>a--</xsl:comment>"),
        Just("<xsl:text disable-output-escaping='yes'>&lt;x/&gt;</xsl:text>"),
        Just("<xsl:value-of select=\"format-number(key('k', .) * 2, '#,##0.0;(#)')\"/>"),
        Just("<b c='{generate-id(current())}'/>"),
        Just("words"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 24, 4, |inner| {
        let several = prop::collection::vec(inner, 0..4).prop_map(|all| all.concat());
        prop_oneof![
            several.clone().prop_map(|inner| format!("<xsl:for-each select='ancestor-or-self::*|following::*'><xsl:sort select='name()' order='descending'/>{inner}</xsl:for-each>")),
            several.clone().prop_map(|inner| format!("<xsl:copy>{inner}</xsl:copy>")),
            several.clone().prop_map(|inner| format!("<xsl:variable name='v'>{inner}</xsl:variable><xsl:copy-of select='$v'/>")),
            several.clone().prop_map(|inner| format!("<xsl:if test='count(preceding::*) &lt; 3'>{inner}</xsl:if>")),
            several.prop_map(|inner| format!("<xsl:element name='p:e' namespace='urn:{{name()}}'>{inner}</xsl:element>")),
        ]
    })
}

proptest! {
    #[test]
    fn any_stylesheet_comes_to_an_end(root in instructions(), element in instructions(), named in instructions()) {
        let sheet = format!(
            "<xsl:key name='k' match='*' use='.'/><xsl:template match='/'><r>{root}</r></xsl:template><xsl:template match='*' mode='m'>{element}</xsl:template>\
             <xsl:template match='b'>{element}</xsl:template><xsl:template name='t'><xsl:param name='p'/>{named}</xsl:template>"
        );
        // What it makes is XML, or it says what went wrong.
        let library = library(&sheet);
        let limits = Limits { visits: 20_000, ..Limits::default() };
        let (message, end, _) = run_in(&library, "<xslt key='gov:/t/main.xsl'/>", "<a x='1'>t<b y='2'><a/>3</b><!-- c --><b/></a>", &limits);
        if matches!(end, End::Continue) {
            let body = message.payload.bytes().unwrap();
            let text = std::str::from_utf8(&body).unwrap();
            prop_assert!(crate::tree::Tree::read(text, &crate::message::bounds(&Limits::default())).is_ok(), "{}", text);
        }
    }
}

#[test]
fn a_stylesheet_is_made_once_for_all_sequences_that_name_it() {
    let library = library(
        "<xsl:stylesheet version='2.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><xsl:template match='/'><r/></xsl:template></xsl:stylesheet>",
    );
    let compiled = || crate::compile(&Source::new("s.xml", "<sequence><xslt key='gov:/t/main.xsl'/></sequence>"), &library).unwrap();
    let sheets = || library.made().sheets.get("gov:/t/main.xsl\n{}", || None).unwrap().0;
    let (first, second) = (compiled(), compiled());
    assert_eq!(Arc::strong_count(&sheets()), 4, "two programs, the library and what is asked here");
    assert_eq!((first.notes().len(), first.notes()), (1, second.notes()));
    drop((first, second));
    let other = library.clone().with_entry("x", Source::new("x", "<a/>"));
    assert!(other.made().sheets.get("gov:/t/main.xsl\n{}", || None).is_none());
}
