//! Contestants that are driven by turns, and what their rounds come to.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ringlog_client::{Admin, Client, ClientOptions, NewTopic};

use super::TOPIC;

const ROUNDS: usize = 5;
/// What has just made a topic serves it a little after it has said so.
const SETTLED: Duration = Duration::from_millis(500);

/// Who is driven. Ours keep their data in the system's directory for temporary files; where the one beside us keeps its own is
/// its starter's choice.
#[derive(Clone, PartialEq)]
pub enum Contestant {
    Broker,
    /// The broker with this io.profile.
    Profiled(PathBuf),
    /// Another build of the broker.
    Build(PathBuf),
    /// What a broker can't do without.
    Bare,
    /// A Kafka broker that runs already.
    Beside(SocketAddr),
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Contestant::Broker => "broker",
            Contestant::Profiled(_) => "profiled",
            Contestant::Build(_) => "build",
            Contestant::Bare => "bare",
            Contestant::Beside(_) => "beside",
        })
    }
}

/// What a contestant did while it was watched.
#[derive(Clone, Copy)]
pub struct Outcome {
    mb_per_second: f64,
    /// Not a number where the process is not ours.
    cpu_per_gb: f64,
}

impl Outcome {
    pub fn of(gigabytes: f64, took: Duration, cpu: Option<Duration>) -> Outcome {
        let cpu_per_gb = cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64()) / gigabytes;
        Outcome { mb_per_second: gigabytes * 1e3 / took.as_secs_f64(), cpu_per_gb }
    }
}

/// Measures the contestants, those that the command line adds among them, in every scenario that it leaves, and prints what they
/// reached and the ratios to the first.
pub fn compare<S>(
    always: &[Contestant],
    scenarios: &[S],
    name: fn(&S) -> &'static str,
    measure: impl Fn(&Contestant, &S) -> Outcome,
) {
    let arguments: Vec<String> = std::env::args().collect();
    let named = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
    let mut contestants = always.to_vec();
    contestants.extend(named("profile").map(|file| Contestant::Profiled(file.into())));
    contestants.extend(named("build").map(|file| Contestant::Build(file.into())));
    contestants.extend(named("beside").map(|address| Contestant::Beside(address.parse().unwrap())));
    for scenario in scenarios.iter().filter(|scenario| name(scenario).contains(named("only").unwrap_or(""))) {
        let once = |contestant: &Contestant| measure(contestant, scenario);
        let rounds: Vec<_> = (0..=ROUNDS).map(|number| round(&contestants, number, &once)).collect();
        println!("{}", name(scenario));
        for (n, contestant) in contestants.iter().enumerate() {
            let of = |value: &dyn Fn(&[Outcome]) -> f64| spread(rounds[1..].iter().map(|round| value(round)).collect());
            let (speed, cost) = (of(&|round| round[n].mb_per_second), of(&|round| round[n].cpu_per_gb));
            println!("  {:<16} {speed} MB/s, {cost} CPU s/GB", contestant.to_string());
            if n > 0 {
                let ratio = of(&|round| round[0].mb_per_second / round[n].mb_per_second);
                println!("  {:<16} {ratio}", format!("{}/{contestant}", contestants[0]));
            }
        }
    }
}

/// Everybody once; the order turns from round to round.
fn round(contestants: &[Contestant], number: usize, once: &dyn Fn(&Contestant) -> Outcome) -> Vec<Outcome> {
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    order.rotate_left(number / 2 % contestants.len());
    if number % 2 == 1 {
        order.reverse();
    }
    let mut outcomes: Vec<_> = order.into_iter().map(|n| (n, once(&contestants[n]))).collect();
    outcomes.sort_by_key(|(n, _)| *n);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Median, and in brackets the least and the most.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2}–{:.2})", values[values.len() / 2], values[0], values[values.len() - 1])
}

/// Drives a broker that has the topic, which is deleted afterwards: one that runs on must not fill its disk.
pub fn with_topic(
    address: SocketAddr,
    partitions: usize,
    configs: Vec<(String, String)>,
    driven: impl FnOnce() -> Outcome,
) -> Outcome {
    let connect = || Client::connect(ClientOptions::new(&address.to_string()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let topic = NewTopic { name: TOPIC.into(), partitions: Some(partitions as i32), configs, ..Default::default() };
        Admin::new(connect().await.unwrap()).create_topic(&topic, false).await.unwrap();
        tokio::time::sleep(SETTLED).await;
    });
    let outcome = driven();
    runtime.block_on(async { Admin::new(connect().await.unwrap()).delete_topic(TOPIC).await.unwrap() });
    outcome
}
