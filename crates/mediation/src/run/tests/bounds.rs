//! What a run may use, and what it lets nobody see.

use super::*;

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
