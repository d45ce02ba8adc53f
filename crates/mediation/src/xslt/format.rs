//! `format-number()` and `xsl:decimal-format`: numbers by patterns as Java's `DecimalFormat` has them.

/// Signs that a pattern and its results use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DecimalFormat {
    pub(super) decimal: char,
    pub(super) grouping: char,
    pub(super) percent: char,
    pub(super) per_mille: char,
    pub(super) zero: char,
    pub(super) digit: char,
    pub(super) separator: char,
    pub(super) minus: char,
    pub(super) infinity: String,
    pub(super) not_a_number: String,
}

impl Default for DecimalFormat {
    fn default() -> Self {
        Self {
            decimal: '.',
            grouping: ',',
            percent: '%',
            per_mille: '\u{2030}',
            zero: '0',
            digit: '#',
            separator: ';',
            minus: '-',
            infinity: "Infinity".to_owned(),
            not_a_number: "NaN".to_owned(),
        }
    }
}

/// Most digits behind the point, and before it.
const MAX_DIGITS: usize = 300;

#[derive(Debug, Default)]
struct Picture {
    before: String,
    after: String,
    whole_least: usize,
    fraction_least: usize,
    fraction_most: usize,
    /// Digits between grouping signs; 0 without.
    group: usize,
    factor: f64,
}

impl DecimalFormat {
    /// A number by a pattern such as `#,##0.00;(#)`.
    pub(super) fn format(&self, number: f64, pattern: &str) -> Result<String, &'static str> {
        if number.is_nan() {
            return Ok(self.not_a_number.clone());
        }
        let (positive, negative) = match pattern.split_once(self.separator) {
            Some((positive, negative)) => (positive, Some(negative)),
            None => (pattern, None),
        };
        let picture = self.picture(positive)?;
        let is_negative = number < 0.0 || (number == 0.0 && number.is_sign_negative());
        let (before, after) = match negative.filter(|_| is_negative) {
            Some(negative) => {
                let own = self.picture(negative)?;
                (own.before, own.after)
            }
            None if is_negative => (format!("{}{}", self.minus, picture.before), picture.after.clone()),
            None => (picture.before.clone(), picture.after.clone()),
        };
        let digits = if number.is_infinite() { self.infinity.clone() } else { self.digits(number.abs() * picture.factor, &picture) };
        Ok(format!("{before}{digits}{after}"))
    }

    fn digits(&self, size: f64, picture: &Picture) -> String {
        // Halves go to the even neighbour, here as in Java.
        let text = format!("{size:.*}", picture.fraction_most);
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let mut fraction = fraction.to_owned();
        while fraction.len() > picture.fraction_least && fraction.ends_with('0') {
            fraction.pop();
        }
        let mut whole = whole.trim_start_matches('0').to_owned();
        while whole.len() < picture.whole_least {
            whole.insert(0, '0');
        }
        // A number below one is written with a zero unless its fraction says all.
        if whole.is_empty() && fraction.is_empty() {
            whole.push('0');
        }
        let own = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(u32::from(self.zero) + digit)).unwrap_or(c);
        let mut out = String::new();
        for (i, c) in whole.chars().enumerate() {
            let left = whole.len() - i;
            if i > 0 && picture.group > 0 && left.is_multiple_of(picture.group) {
                out.push(self.grouping);
            }
            out.push(own(c));
        }
        if !fraction.is_empty() {
            out.push(self.decimal);
            out.extend(fraction.chars().map(own));
        }
        out
    }

    fn picture(&self, pattern: &str) -> Result<Picture, &'static str> {
        let mut picture = Picture { factor: 1.0, ..Picture::default() };
        let (mut in_fraction, mut seen, mut since_group) = (false, false, None::<usize>);
        let mut quoted = false;
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            let affix = if seen { &mut picture.after } else { &mut picture.before };
            if c == '\'' {
                if chars.peek() == Some(&'\'') {
                    chars.next();
                    affix.push('\'');
                } else {
                    quoted = !quoted;
                }
                continue;
            }
            let is_picture = [self.zero, self.digit, self.grouping, self.decimal].contains(&c);
            if quoted || !is_picture {
                if !quoted && c == self.percent {
                    picture.factor = 100.0;
                } else if !quoted && c == self.per_mille {
                    picture.factor = 1000.0;
                }
                affix.push(c);
                continue;
            }
            if !picture.after.is_empty() {
                return Err("the pattern of format-number() has signs between its digits");
            }
            seen = true;
            if c == self.decimal {
                if in_fraction {
                    return Err("the pattern of format-number() has two decimal points");
                }
                in_fraction = true;
            } else if c == self.grouping {
                since_group = Some(0);
            } else if in_fraction {
                picture.fraction_most += 1;
                picture.fraction_least += usize::from(c == self.zero);
            } else {
                picture.whole_least += usize::from(c == self.zero);
                since_group = since_group.map(|digits| digits + 1);
            }
        }
        picture.group = since_group.unwrap_or(0);
        if picture.fraction_most > MAX_DIGITS || picture.whole_least > MAX_DIGITS {
            return Err("the pattern of format-number() is too long");
        }
        Ok(picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_their_patterns() {
        for (number, pattern, made) in [
            (1234.5, "#,##0.00", "1,234.50"),
            (0.5, "0.##", "0.5"),
            (0.5, "#.##", ".5"),
            (0.0, "#", "0"),
            (1_234_567.0, "#,###", "1,234,567"),
            (-3.0, "0", "-3"),
            (-3.0, "0;(0)", "(3)"),
            (0.256, "0.0%", "25.6%"),
            (2.5, "0", "2"),
            (3.5, "0", "4"),
            (7.0, "000", "007"),
            (12.0, "'#'0", "#12"),
            (f64::NAN, "0", "NaN"),
            (f64::INFINITY, "0 EUR", "Infinity EUR"),
            (1e20, "0", "100000000000000000000"),
        ] {
            assert_eq!(DecimalFormat::default().format(number, pattern).as_deref(), Ok(made), "{number} {pattern}");
        }
        let german = DecimalFormat { decimal: ',', grouping: '.', ..DecimalFormat::default() };
        assert_eq!(german.format(1234.5, "#.##0,00").as_deref(), Ok("1.234,50"));
        assert!(DecimalFormat::default().format(1.0, "0.0.0").is_err());
        assert!(DecimalFormat::default().format(1.0, &"0".repeat(400)).is_err());
    }
}
