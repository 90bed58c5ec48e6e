//! What clients may use, and have used: the quotas of the metadata log, and a bucket for everyone that one of them bounds.
//!
//! Buckets are shared by all shards: a client is one client, however many connections it has and wherever they are. While no
//! quota is set there are none, and a request costs the look at one flag.

mod bucket;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ringlog_metadata::{ClientQuotas, EntityType, QuotaEntity, QuotaKey};
use ringlog_protocol::ErrorCode;
use ringlog_settings::BrokerConfig;

use bucket::Bucket;

/// So many buckets are not looked through for full ones.
const FEW_BUCKETS: usize = 1024;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) user: &'a str,
    /// What it calls itself; empty for one without a name, which quotas of client-ids don't bound.
    pub(crate) id: &'a str,
}

/// By what is bounded, and by whom it is shared.
type Buckets = HashMap<(QuotaKey, QuotaEntity), Bucket>;

/// The quotas of one broker.
pub(crate) struct Quotas {
    any: AtomicBool,
    set: RwLock<Arc<ClientQuotas>>,
    /// What may be used at once is what the limit gives in this time. Milliseconds.
    burst_ms: f64,
    /// The same for topics made and deleted.
    mutation_burst_ms: f64,
    /// A peer that has left is not noticed while nothing is read from it: it keeps its connection no longer than an idle one.
    longest_wait_ms: f64,
    /// What Kafka's sample is: the longest that a connection is kept waiting.
    longest_wait_of_connections_ms: f64,
    buckets: Mutex<Buckets>,
    began: Instant,
}

impl Quotas {
    pub(crate) fn new(config: &BrokerConfig, set: Arc<ClientQuotas>) -> Quotas {
        let burst_ms = |samples: u32, sample: Duration| f64::from(samples) * sample.as_secs_f64() * 1000.0;
        let client_burst_ms = burst_ms(config.quota_window_num, config.quota_window_size);
        let idle_ms = config.connections_max_idle.map_or(f64::INFINITY, |idle| idle.as_secs_f64() * 1000.0);
        Quotas {
            any: AtomicBool::new(!set.is_empty()),
            set: RwLock::new(set),
            burst_ms: client_burst_ms,
            mutation_burst_ms: burst_ms(config.controller_quota_window_num, config.controller_quota_window_size),
            longest_wait_ms: client_burst_ms.max(idle_ms),
            longest_wait_of_connections_ms: burst_ms(1, config.quota_window_size),
            buckets: Mutex::default(),
            began: Instant::now(),
        }
    }

    /// All that are set.
    pub(crate) fn all(&self) -> Arc<ClientQuotas> {
        self.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From here on, these are set. What was used stays used.
    pub(crate) fn replace(&self, set: Arc<ClientQuotas>) {
        let any = !set.is_empty();
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = set;
        self.any.store(any, Ordering::Release);
    }

    /// Counts a Produce request, and says for how long the client is to send nothing. Milliseconds.
    pub(crate) fn produced(&self, client: Client<'_>, bytes: usize) -> i32 {
        self.count(QuotaKey::ProducerByteRate, client, bytes)
    }

    /// Counts a Fetch response, and says for how long the client is to send nothing. Milliseconds.
    pub(crate) fn fetched(&self, client: Client<'_>, bytes: usize) -> i32 {
        self.count(QuotaKey::ConsumerByteRate, client, bytes)
    }

    /// Most bytes that a Fetch response may have without going over the client's quota all by itself.
    pub(crate) fn most_fetched(&self, client: Client<'_>) -> usize {
        let quota = self.find(QuotaKey::ConsumerByteRate, client);
        quota.map_or(usize::MAX, |(_, limit)| (limit * self.burst_ms / 1000.0) as usize)
    }

    /// What a request of the client may make and delete. A strict quota refuses what comes when it is used up; the other one
    /// counts it, too, and makes the client wait (KIP-599).
    pub(crate) fn mutations(&self, client: Client<'_>, is_strict: bool) -> Mutations<'_> {
        let quota = self.find(QuotaKey::ControllerMutationRate, client);
        Mutations { quotas: self, quota, is_strict, throttle_ms: 0 }
    }

    /// Counts a connection from `address` if it may come; else says for how long it is to be kept waiting before it is closed.
    /// Milliseconds.
    pub(crate) fn connected(&self, address: IpAddr) -> i32 {
        if !self.any.load(Ordering::Acquire) {
            return 0;
        }
        let of = |name: Option<String>| QuotaEntity::from([(EntityType::Ip, name)]);
        let by_name = of(Some(address.to_canonical().to_string()));
        let (set, key) = (self.all(), QuotaKey::ConnectionCreationRate);
        let bound = |entity: &QuotaEntity| set.get(entity)?.get(&key).copied();
        let Some(limit) = bound(&by_name).or_else(|| bound(&of(None))) else { return 0 };
        let wait = self.with_bucket((key, by_name), limit, |bucket| {
            let wait = bucket.wait_ms(self.burst_ms);
            if wait == 0.0 {
                bucket.take(1.0);
            }
            wait
        });
        milliseconds(wait.min(self.longest_wait_of_connections_ms))
    }

    fn count(&self, key: QuotaKey, client: Client<'_>, bytes: usize) -> i32 {
        let Some((entity, limit)) = self.find(key, client) else { return 0 };
        let wait = self.with_bucket((key, entity), limit, |bucket| {
            bucket.take(bytes as f64);
            bucket.wait_ms(self.burst_ms)
        });
        milliseconds(wait.min(self.longest_wait_ms))
    }

    /// What bounds a client, and who shares it: a quota of users is one for all of a user's clients, that of client-ids one for
    /// all of a client-id's users. The first in Kafka's order counts, and no other.
    fn find(&self, key: QuotaKey, client: Client<'_>) -> Option<(QuotaEntity, f64)> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let set = self.all();
        let levels = |name: &str| [Some(Some(name.to_owned())), Some(None), None];
        let ids = levels(client.id);
        let ids = if client.id.is_empty() { &ids[2..] } else { &ids[..] };
        for user in levels(client.user) {
            for id in ids {
                let parts = [(EntityType::User, &user), (EntityType::ClientId, id)];
                let entity: QuotaEntity =
                    parts.iter().filter_map(|(kind, name)| Some((*kind, (*name).clone()?))).collect();
                let Some(limit) = set.get(&entity).and_then(|quotas| quotas.get(&key)) else { continue };
                let named = |kind: &EntityType| if *kind == EntityType::User { client.user } else { client.id };
                let shared = entity.keys().map(|kind| (*kind, Some(named(kind).to_owned()))).collect();
                return Some((shared, *limit));
            }
        }
        None
    }

    fn with_bucket<T>(&self, of: (QuotaKey, QuotaEntity), limit: f64, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let now_ms = self.began.elapsed().as_millis() as u64;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut buckets, now_ms);
        let bucket = buckets.entry(of).or_default();
        bucket.settle(now_ms, limit);
        work(bucket)
    }
}

/// What one request may make and delete.
pub(crate) struct Mutations<'a> {
    quotas: &'a Quotas,
    quota: Option<(QuotaEntity, f64)>,
    is_strict: bool,
    /// For how long the client is to send nothing. Milliseconds.
    pub(crate) throttle_ms: i32,
}

impl Mutations<'_> {
    /// Takes so many partitions from the quota.
    pub(crate) fn take(&mut self, partitions: usize) -> Result<(), (ErrorCode, String)> {
        let Some((entity, limit)) = &self.quota else { return Ok(()) };
        let burst_ms = self.quotas.mutation_burst_ms;
        let of = (QuotaKey::ControllerMutationRate, entity.clone());
        let (is_refused, wait) = self.quotas.with_bucket(of, *limit, |bucket| {
            let is_refused = self.is_strict && bucket.wait_ms(burst_ms) > 0.0;
            if !is_refused {
                bucket.take(partitions as f64);
            }
            (is_refused, bucket.wait_ms(burst_ms))
        });
        if is_refused || !self.is_strict {
            self.throttle_ms = milliseconds(wait.min(self.quotas.longest_wait_ms));
        }
        if is_refused {
            let reason = format!("controller_mutation_rate={limit} is used up: try again in {} ms", self.throttle_ms);
            return Err((ErrorCode::ThrottlingQuotaExceeded, reason));
        }
        Ok(())
    }
}

/// The one way to write a name: an address may be written in several. `None` for what is no address.
pub(crate) fn canonical_name(kind: EntityType, name: &str) -> Option<String> {
    match kind {
        EntityType::User | EntityType::ClientId => Some(name.to_owned()),
        EntityType::Ip => Some(name.parse::<IpAddr>().ok()?.to_canonical().to_string()),
    }
}

/// Forgets buckets that are full or old whenever there are twice as many as were left the last time: clients choose their ids.
fn make_room(buckets: &mut Buckets, now_ms: u64) {
    if buckets.len() >= FEW_BUCKETS && buckets.len() == buckets.capacity() {
        buckets.retain(|_, bucket| !bucket.is_forgotten_at(now_ms));
        buckets.reserve(buckets.len());
    }
}

/// At least one where there is anything; at most what a response can say.
fn milliseconds(wait: f64) -> i32 {
    wait.ceil() as i32
}

#[cfg(test)]
mod tests {
    use ringlog_settings::Properties;

    use super::*;

    const RATE: QuotaKey = QuotaKey::ProducerByteRate;

    type Parts = &'static [(EntityType, Option<&'static str>)];

    fn entity(parts: Parts) -> QuotaEntity {
        parts.iter().map(|(kind, name)| (*kind, name.map(str::to_owned))).collect()
    }

    fn quotas(set: &[(Parts, QuotaKey, f64)]) -> Quotas {
        let mut all = ClientQuotas::new();
        for (parts, key, value) in set {
            all.entry(entity(parts)).or_default().insert(*key, *value);
        }
        let (config, ..) = BrokerConfig::from_properties(&Properties::parse("log.dirs=/d").unwrap()).unwrap();
        Quotas::new(&config, Arc::new(all))
    }

    #[test]
    fn the_most_specific_quota_counts_in_kafkas_order() {
        use EntityType::{ClientId, User};
        let levels: [Parts; 8] = [
            &[(User, Some("u")), (ClientId, Some("c"))],
            &[(User, Some("u")), (ClientId, None)],
            &[(User, Some("u"))],
            &[(User, None), (ClientId, Some("c"))],
            &[(User, None), (ClientId, None)],
            &[(User, None)],
            &[(ClientId, Some("c"))],
            &[(ClientId, None)],
        ];
        let (both, user, id): (Parts, Parts, Parts) =
            (&[(User, Some("u")), (ClientId, Some("c"))], &[(User, Some("u"))], &[(ClientId, Some("c"))]);
        // Who shares what the quota allows: one user's clients, or one client-id's users.
        let shared = [both, both, user, both, both, user, id, id];
        let client = Client { user: "u", id: "c" };
        for (first, shared) in shared.into_iter().enumerate() {
            let below = levels.iter().enumerate().skip(first).rev();
            let quotas = quotas(&below.map(|(level, parts)| (*parts, RATE, level as f64)).collect::<Vec<_>>());
            assert_eq!(quotas.find(RATE, client), Some((entity(shared), first as f64)));
            assert_eq!(quotas.find(QuotaKey::ConsumerByteRate, client), None, "each key goes its own way");
        }
        let others = quotas(&[(&[(User, Some("x"))], RATE, 1.0), (&[(ClientId, Some("x"))], RATE, 1.0)]);
        assert_eq!(others.find(RATE, client), None);
        let unnamed = Client { user: "u", id: "" };
        assert_eq!(quotas(&[(&[(ClientId, None)], RATE, 1.0)]).find(RATE, unnamed), None);
    }

    #[test]
    fn a_fetch_is_no_larger_than_what_its_window_allows() {
        let quotas = quotas(&[(&[(EntityType::User, None)], QuotaKey::ConsumerByteRate, 1000.0)]);
        assert_eq!(quotas.most_fetched(Client { user: "u", id: "c" }), 11_000);
        quotas.replace(Arc::default());
        assert_eq!(quotas.most_fetched(Client { user: "u", id: "c" }), usize::MAX);
    }

    #[test]
    fn nobody_waits_longer_than_an_idle_connection_lives() {
        let quotas = quotas(&[(&[(EntityType::User, None)], RATE, 1.0)]);
        assert_eq!(quotas.produced(Client { user: "u", id: "c" }, 100), 89_000);
        assert_eq!(quotas.produced(Client { user: "u", id: "c" }, 1 << 20), 600_000);
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        let quotas = quotas(&[
            (&[(EntityType::Ip, Some("10.0.0.1"))], QuotaKey::ConnectionCreationRate, 1e-3),
            (&[(EntityType::Ip, None)], QuotaKey::ConnectionCreationRate, 1e6),
        ]);
        assert_eq!(quotas.connected("10.0.0.1".parse().unwrap()), 0);
        assert_eq!(quotas.connected("::ffff:10.0.0.1".parse().unwrap()), 1000, "as long as a sample, at the most");
        assert_eq!(quotas.connected("10.0.0.2".parse().unwrap()), 0);
        assert_eq!(canonical_name(EntityType::Ip, "0:0::1").as_deref(), Some("::1"));
        assert_eq!(canonical_name(EntityType::Ip, "localhost"), None);
    }

    #[test]
    fn buckets_of_clients_that_are_gone_are_forgotten() {
        // Paid off in a tenth of a second, or not in years: a minute apart, an hour's clients are few.
        for (apart_ms, limit) in [(1, 1000.0), (60_000, 1e-6)] {
            let mut buckets = Buckets::new();
            for client in 0..100_000 {
                let now_ms = client * apart_ms;
                make_room(&mut buckets, now_ms);
                let of = (RATE, [(EntityType::ClientId, Some(client.to_string()))].into());
                let bucket = buckets.entry(of).or_default();
                bucket.settle(now_ms, limit);
                bucket.take(100.0);
            }
            assert!(buckets.capacity() < 4 * FEW_BUCKETS, "{} with a limit of {limit}", buckets.capacity());
        }
    }
}
