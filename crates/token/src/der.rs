//! Just enough DER to find the public key inside a certificate and the numbers inside an RSA key. Checks no signature and no dates: a
//! certificate here is a container that its owner configured.

/// One element's content and what follows it.
struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
    rest: &'a [u8],
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xa0;

fn element(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, after) = input.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = if first < 0x80 {
        (usize::from(first), after)
    } else {
        let octets = usize::from(first & 0x7f);
        // Four octets name 4 GiB; indefinite length (zero octets) is not DER.
        if !(1..=4).contains(&octets) {
            return None;
        }
        let (octets, after) = after.split_at_checked(octets)?;
        (octets.iter().fold(0_usize, |sum, &octet| sum << 8 | usize::from(octet)), after)
    };
    let (content, rest) = after.split_at_checked(length)?;
    let whole = input.get(..input.len() - rest.len())?;
    Some(Element { tag, whole, content, rest })
}

fn expect(tag: u8, input: &[u8]) -> Option<Element<'_>> {
    element(input).filter(|e| e.tag == tag)
}

/// The SubjectPublicKeyInfo of an X.509 certificate (RFC 5280, 4.1), still encoded.
pub(crate) fn public_key_of_certificate(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = expect(SEQUENCE, certificate)?;
    let mut rest = expect(SEQUENCE, certificate.content)?.content;
    if let Some(version) = expect(CONTEXT_0, rest) {
        rest = version.rest;
    }
    rest = expect(INTEGER, rest)?.rest;
    // Signature algorithm, issuer, validity, subject.
    for _ in 0..4 {
        rest = expect(SEQUENCE, rest)?.rest;
    }
    Some(expect(SEQUENCE, rest)?.whole)
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017, A.1.1), big-endian without leading zeros.
pub(crate) fn rsa_numbers(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let key = expect(SEQUENCE, key)?;
    let modulus = expect(INTEGER, key.content)?;
    let exponent = expect(INTEGER, modulus.rest)?;
    Some((unsigned(modulus.content), unsigned(exponent.content)))
}

fn unsigned(mut number: &[u8]) -> &[u8] {
    while let Some((0, rest)) = number.split_first() {
        number = rest;
    }
    number
}
