//! From the configuration file's options to the gateway's own settings.

use gateway::{Config, IpRange, Precedence};

use crate::options::Options;

/// `shift_ms` moves the gateway's clock, for rehearsals.
pub(crate) fn of(options: &Options, shift_ms: i64) -> Config {
    let mut config = Config {
        precedence: if options.old_resource_order { Precedence::Legacy } else { Precedence::Specific },
        connect_timeout: options.connect_timeout,
        response_timeout: options.response_timeout,
        extra_roots: options.backend_ca_files.iter().map(Into::into).collect(),
        skip_backend_verification: !options.backend_verify,
        token_skew: options.clock_skew,
        connections_max: usize::try_from(options.max_connections).unwrap_or(usize::MAX),
        drain_timeout: options.drain,
        clock_shift_ms: shift_ms,
        ..Config::default()
    };
    if !options.trusted_proxies.is_empty() {
        config.trusted_proxies = options.trusted_proxies.iter().filter_map(|text| range(text)).collect();
    }
    config
}

/// `a.b.c.d`, `a.b.c.d/n` or the same with IPv6.
pub(crate) fn range(text: &str) -> Option<IpRange> {
    let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
    let base: std::net::IpAddr = base.trim().parse().ok()?;
    let all = if base.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(all), |bits| bits.trim().parse().ok())?;
    (bits <= all).then_some(IpRange { base, bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_single_addresses_are_read() {
        assert_eq!(range("10.0.0.0/8").map(|r| r.bits), Some(8));
        assert_eq!(range("10.1.2.3").map(|r| r.bits), Some(32));
        assert_eq!(range("::1").map(|r| r.bits), Some(128));
        assert_eq!(range("10.0.0.0/33"), None);
        assert_eq!(range("localhost"), None);
    }
}
