//! Ranges of client addresses, version 4 and 6.

use std::net::IpAddr;

/// A text is no address or range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpFault {
    /// Not an address.
    #[error("'{0}' is not an IP address")]
    Address(String),
    /// Not `address/prefix length`.
    #[error("'{0}' is not an address range")]
    Cidr(String),
    /// From one version to the other, or backwards.
    #[error("'{first}' to '{last}' is not a range")]
    Order {
        /// First address.
        first: String,
        /// Last address.
        last: String,
    },
}

/// Addresses of one version from first to last. A version 4 address in version 6 clothing counts as version 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    first: IpAddr,
    last: IpAddr,
}

impl IpRange {
    /// One address, or `address/prefix length`.
    ///
    /// # Errors
    /// [`IpFault`].
    pub fn parse(text: &str) -> Result<Self, IpFault> {
        let Some((address, length)) = text.split_once('/') else {
            let only = address(text)?;
            return Ok(Self { first: only, last: only });
        };
        let fault = || IpFault::Cidr(text.to_owned());
        let address = address.trim().parse::<IpAddr>().map_err(|_| fault())?;
        let length = length.trim().parse::<u32>().map_err(|_| fault())?;
        match address {
            IpAddr::V4(v4) if length <= 32 => {
                // Shifting by the full width is no shift in Rust, hence the checked form: a length of 0 is every address.
                let free = u32::MAX.checked_shr(length).unwrap_or(0);
                Ok(Self { first: IpAddr::V4((v4.to_bits() & !free).into()), last: IpAddr::V4((v4.to_bits() | free).into()) })
            }
            IpAddr::V6(v6) if length <= 128 => {
                let free = u128::MAX.checked_shr(length).unwrap_or(0);
                let (first, last) = (IpAddr::V6((v6.to_bits() & !free).into()), IpAddr::V6((v6.to_bits() | free).into()));
                let (as_first, as_last) = (first.to_canonical(), last.to_canonical());
                // Only a range wholly inside the mapped block is one of version 4.
                Ok(if as_first.is_ipv4() && as_last.is_ipv4() { Self { first: as_first, last: as_last } } else { Self { first, last } })
            }
            _ => Err(fault()),
        }
    }

    /// From `first` to `last`.
    ///
    /// # Errors
    /// [`IpFault`].
    pub fn between(first: &str, last: &str) -> Result<Self, IpFault> {
        let (from, to) = (address(first)?, address(last)?);
        if from.is_ipv4() != to.is_ipv4() || from > to {
            return Err(IpFault::Order { first: first.to_owned(), last: last.to_owned() });
        }
        Ok(Self { first: from, last: to })
    }

    /// Whether `ip` is in the range, first and last included.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && self.first <= ip && ip <= self.last
    }

    /// Whether `ip` is in the range but neither its first nor its last address: 4.0.0's reading of an IP range in a deny policy.
    #[must_use]
    pub fn contains_inside(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.contains(ip) && ip != self.first && ip != self.last
    }
}

fn address(text: &str) -> Result<IpAddr, IpFault> {
    text.trim().parse::<IpAddr>().map(|ip| ip.to_canonical()).map_err(|_| IpFault::Address(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_include_their_ends_in_both_versions() {
        for (first, last, inside, outside) in
            [("10.0.0.9", "10.0.1.1", "10.0.0.255", "10.0.1.2"), ("2001:db8::1", "2001:db8::ff", "2001:db8::aa", "2001:db8::100")]
        {
            let range = IpRange::between(first, last).unwrap();
            assert!(range.contains(ip(first)) && range.contains(ip(last)) && range.contains(ip(inside)));
            assert!(!range.contains(ip(outside)));
            assert!(!range.contains_inside(ip(first)) && !range.contains_inside(ip(last)) && range.contains_inside(ip(inside)));
        }
    }

    #[test]
    fn mapped_addresses_are_version_4() {
        let range = IpRange::between("10.0.0.1", "::ffff:10.0.0.3").unwrap();
        assert!(range.contains(ip("::ffff:10.0.0.2")));
        assert!(!range.contains(ip("::10.0.0.2")));
    }

    #[test]
    fn prefixes_reach_from_one_address_to_all() {
        assert!(IpRange::parse("192.168.7.9/24").unwrap().contains(ip("192.168.7.255")));
        assert!(!IpRange::parse("192.168.7.0/24").unwrap().contains(ip("192.168.8.0")));
        assert!(IpRange::parse("0.0.0.0/0").unwrap().contains(ip("255.1.2.3")));
        assert!(IpRange::parse("::/0").unwrap().contains(ip("fe80::1")));
        assert!(IpRange::parse("1.2.3.4/32").unwrap().contains(ip("1.2.3.4")));
        assert!(IpRange::parse("1.2.3.4").unwrap().contains(ip("1.2.3.4")));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in ["", "1.2.3", "1.2.3.4/33", "::1/129", "1.2.3.4/x", "a/8", "1.2.3.4/-1"] {
            assert!(IpRange::parse(bad).is_err(), "{bad}");
        }
        assert!(IpRange::between("10.0.0.2", "10.0.0.1").is_err());
        assert!(IpRange::between("10.0.0.2", "::1").is_err());
    }
}
