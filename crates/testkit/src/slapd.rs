//! A directory server for one test: OpenLDAP's `slapd` with a configuration, data and port of its own, run by whoever runs the test.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where everything is.
const BASE: &str = "dc=corp,dc=example";

/// A running directory; ended when dropped.
pub struct Slapd {
    child: Option<Child>,
    folder: tempfile::TempDir,
    port: u16,
    tls_port: u16,
}

impl Slapd {
    /// The name and password that may read everything but passwords.
    pub const READER: (&str, &str) = ("cn=reader,dc=corp,dc=example", "reader-pass-1");

    /// Starts one with these people and groups beside the reader: LDIF, whose names end in `dc=corp,dc=example`. The folders `ou=people` and
    /// `ou=groups` are there. `None`, saying so, where there is no slapd.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "a test that was not run must not look like one that passed")]
    pub fn start(ldif: &str) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("SKIPPED: there is no slapd on this machine");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut slapd = Self { child: None, port: free_port(), tls_port: free_port(), folder };
        slapd.configure();
        slapd.load(&program, ldif);
        slapd.run();
        Some(slapd)
    }

    /// Its plain address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Its address over TLS, whose certificate is for `localhost`.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }

    /// The certificate it shows, in PEM form.
    ///
    /// # Panics
    /// Never while it exists.
    #[must_use]
    pub fn certificate(&self) -> String {
        fs::read_to_string(self.folder.path().join("cert.pem")).expect("its certificate")
    }

    /// Ends it; its address refuses then.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already ended is as good as ended now.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again, with what it knew.
    ///
    /// # Panics
    /// When it does not start.
    #[expect(clippy::disallowed_methods, reason = "polls a program it just started; there is no state to be told by")]
    pub fn run(&mut self) {
        let urls = format!("ldap://127.0.0.1:{} ldaps://127.0.0.1:{}", self.port, self.tls_port);
        let mut command = Command::new(program().expect("it was there before"));
        command.arg("-f").arg(self.folder.path().join("slapd.conf")).args(["-h", &urls, "-d", "0"]);
        let log = fs::File::create(self.folder.path().join("log")).expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("slapd starts");
        self.child = Some(child);
        let started = Instant::now();
        let address: SocketAddr = ([127, 0, 0, 1], self.port).into();
        while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("its status"));
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && started.elapsed() < Duration::from_secs(30), "slapd does not answer: {ended:?} {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Changes entries: LDIF with `changetype`.
    ///
    /// # Panics
    /// When it is refused.
    pub fn change(&self, ldif: &str) {
        let mut child = Command::new("ldapmodify")
            .args(["-x", "-H", &self.url(), "-D", &format!("cn=root,{BASE}"), "-w", "root-pass"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("ldapmodify starts");
        child.stdin.take().expect("its input").write_all(ldif.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ends").success(), "refused: {ldif}");
    }

    fn configure(&self) {
        let at = |name: &str| self.folder.path().join(name);
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        fs::write(at("cert.pem"), key.cert.pem()).expect("a file");
        fs::write(at("key.pem"), key.signing_key.serialize_pem()).expect("a file");
        fs::create_dir(at("data")).expect("a folder");
        let text = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/inetorgperson.schema\n\
             attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n\
             attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )\n\
             attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'inGroup' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )\n\
             objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'account365' SUP top AUXILIARY MAY ( sAMAccountName $ userAccountControl $ inGroup ) )\n\
             modulepath /usr/lib/ldap\nmoduleload back_mdb\nsizelimit unlimited\n\
             TLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\n\
             database mdb\nmaxsize 67108864\nsuffix \"{BASE}\"\nrootdn \"cn=root,{BASE}\"\nrootpw root-pass\ndirectory {data}\n\
             access to attrs=userPassword by anonymous auth by * none\naccess to * by dn.exact=\"{reader}\" read by self read by * none\n",
            cert = at("cert.pem").display(),
            key = at("key.pem").display(),
            data = at("data").display(),
            reader = Self::READER.0,
        );
        fs::write(at("slapd.conf"), text).expect("a file");
    }

    fn load(&self, program: &Path, ldif: &str) {
        let (reader, password) = Self::READER;
        let all = format!(
            "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Corp\ndc: corp\n\n\
             dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n\n\
             dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n\n\
             dn: {reader}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: {password}\n\n{ldif}\n"
        );
        let file = self.folder.path().join("data.ldif");
        fs::write(&file, all).expect("a file");
        let mut command = Command::new(program);
        let output = command.args(["-T", "add", "-f"]).arg(self.folder.path().join("slapd.conf")).arg("-l").arg(&file).output();
        let output = output.expect("slapadd starts");
        assert!(output.status.success(), "slapadd: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A person's entry.
#[must_use]
pub fn person(uid: &str, password: &str, more: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,{BASE}\nobjectClass: inetOrgPerson\nobjectClass: account365\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
         mail: {uid}@corp.example\nuserPassword: {password}\n{more}\n"
    )
}

/// A group's entry.
#[must_use]
pub fn group(cn: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|uid| format!("member: uid={uid},ou=people,{BASE}\n")).collect();
    format!("dn: cn={cn},ou=groups,{BASE}\nobjectClass: groupOfNames\ncn: {cn}\n{members}\n")
}

/// Debian puts it where only root looks.
fn program() -> Option<PathBuf> {
    ["/usr/sbin/slapd", "/usr/lib/openldap/slapd", "/usr/libexec/slapd"].iter().map(PathBuf::from).find(|path| path.is_file())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
