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
        client_domain_header: options.client_domain_header.clone(),
        clock_shift_ms: shift_ms,
        token_paths: options.token_paths,
        key_desk_url: options.key_desk_url.clone(),
        header_conditions: options.header_conditions,
        query_conditions: options.query_conditions,
        claim_conditions: options.claim_conditions,
        uncompilable_sequences: options.uncompilable_sequences,
        error_sequence_timeout: options.error_sequence_timeout,
        ..Config::default()
    };
    config.trusted_proxies = options.trusted_proxies.iter().filter_map(|text| range(text)).collect();
    config
}

/// An address, or a network such as 10.0.0.0/8.
pub(crate) fn range(text: &str) -> Option<IpRange> {
    IpRange::parse(text.trim()).ok()
}
