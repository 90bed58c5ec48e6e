//! `ringlog acls`: access rules.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use ringlog_client::{Acl, AclFilter, AclOperation, AclPattern, AclPatternFilter, AclPermission, AclResource, Admin};

use crate::connection::Broker;
use crate::failure::Failure;
use crate::table::Table;

/// What rules on a cluster name.
const CLUSTER: &str = "kafka-cluster";

#[derive(Debug, Args)]
pub(crate) struct Acls {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the rules
    List {
        #[command(flatten)]
        which: Which,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a rule for each operation
    Add {
        #[command(flatten)]
        new: New,
    },
    /// Delete the rules that agree in everything that is named
    Delete {
        #[command(flatten)]
        which: Which,
    },
}

/// Rules that are there.
#[derive(Debug, Args)]
struct Which {
    /// On: topic, group, cluster, transactional-id, delegation-token or user
    #[arg(long, value_name = "KIND")]
    resource: Option<AclResource>,
    /// On this name
    #[arg(long)]
    name: Option<String>,
    /// Not those on exactly this name, but all that apply to what is called so
    #[arg(long, requires = "name", conflicts_with = "pattern")]
    applying: bool,
    /// Only: literal or prefixed
    #[arg(long)]
    pattern: Option<AclPattern>,
    /// Whose, such as User:alice
    #[arg(long)]
    principal: Option<String>,
    /// From this address
    #[arg(long)]
    host: Option<String>,
    /// To do this, such as read or write
    #[arg(long)]
    operation: Option<AclOperation>,
    /// Only: allow or deny
    #[arg(long)]
    permission: Option<AclPermission>,
}

/// A rule to add.
#[derive(Debug, Args)]
struct New {
    /// On: topic, group, cluster, transactional-id, delegation-token or user
    #[arg(long, value_name = "KIND")]
    resource: AclResource,
    /// On this name; '*' is every one. A cluster needs none
    #[arg(long)]
    name: Option<String>,
    /// The name is how others begin
    #[arg(long)]
    prefixed: bool,
    /// For whom: User:alice; 'User:*' is everyone
    #[arg(long)]
    principal: String,
    /// From this address; '*' is everywhere
    #[arg(long, default_value = "*")]
    host: String,
    /// To do what, such as read or write; may be repeated
    #[arg(long = "operation", value_name = "OPERATION", required = true)]
    operations: Vec<AclOperation>,
    /// It may not
    #[arg(long)]
    deny: bool,
}

impl Which {
    fn filter(self) -> AclFilter {
        let Self { resource, name, applying, pattern, principal, host, operation, permission } = self;
        let pattern = match pattern {
            Some(pattern) => AclPatternFilter::Is(pattern),
            None if applying => AclPatternFilter::Applies,
            None => AclPatternFilter::Any,
        };
        AclFilter { resource, name, pattern, principal, host, operation, permission }
    }
}

impl New {
    fn rules(self) -> Result<Vec<Acl>, Failure> {
        let name = match (self.name, self.resource) {
            (Some(name), _) => name,
            (None, AclResource::Cluster) => CLUSTER.to_owned(),
            (None, resource) => {
                return Err(Failure::Usage(format!("which {resource}? Give --name, '*' for every one")));
            }
        };
        let rule = |operation| Acl {
            resource: self.resource,
            name: name.clone(),
            pattern: if self.prefixed { AclPattern::Prefixed } else { AclPattern::Literal },
            principal: self.principal.clone(),
            host: self.host.clone(),
            operation,
            permission: if self.deny { AclPermission::Deny } else { AclPermission::Allow },
        };
        Ok(self.operations.into_iter().map(rule).collect())
    }
}

impl Acls {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::List { which, json } => list(&self.broker.admin().await?, &which.filter(), json).await,
            Command::Add { new } => {
                let rules = new.rules()?;
                self.broker.admin().await?.create_acls(&rules).await?;
                tell("added", &rules)
            }
            Command::Delete { which } => {
                let filter = which.filter();
                if filter == AclFilter::default() {
                    return Err(Failure::Usage("that would delete every rule: say which".to_owned()));
                }
                tell("deleted", &self.broker.admin().await?.delete_acls(&filter).await?)
            }
        }
    }
}

async fn list(admin: &Admin, filter: &AclFilter, json: bool) -> Result<(), Failure> {
    let mut table = Table::new(&["PERMISSION", "PRINCIPAL", "OPERATION", "RESOURCE", "NAME", "PATTERN", "HOST"]);
    for rule in admin.acls(filter).await? {
        let [permission, operation] = [rule.permission.to_string(), rule.operation.to_string()];
        let [resource, pattern] = [rule.resource.to_string(), rule.pattern.to_string()];
        let row = [permission, rule.principal, operation, resource, rule.name, pattern, rule.host];
        table.push(row.map(Into::into));
    }
    if table.is_empty() && !json {
        eprintln!("no rule matches");
        return Ok(());
    }
    table.print(json)
}

fn tell(what: &str, rules: &[Acl]) -> Result<(), Failure> {
    if rules.is_empty() {
        eprintln!("no rule matches");
    }
    rules.iter().try_for_each(|rule| Ok(writeln!(io::stdout(), "{what}: {rule}")?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        acls: Acls,
    }

    fn parsed(line: &str) -> Result<Command, String> {
        let cli = Cli::try_parse_from(std::iter::once("acls").chain(line.split_whitespace()));
        cli.map(|cli| cli.acls.command).map_err(|error| error.to_string())
    }

    fn added(line: &str) -> Result<Vec<String>, String> {
        let Command::Add { new } = parsed(line)? else { panic!("{line}") };
        new.rules().map(|rules| rules.iter().map(Acl::to_string).collect()).map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_rule_is_added_for_each_operation() {
        let line =
            "add --resource topic --name orders --prefixed --principal User:alice --operation read --operation write";
        let expected =
            ["read", "write"].map(|do_it| format!("allow User:alice to {do_it} topic orders (prefixed) from *"));
        assert_eq!(added(line).unwrap(), expected);
        let line = "add --resource cluster --principal User:* --host 10.0.0.1 --operation alter --deny";
        assert_eq!(added(line).unwrap(), ["deny User:* to alter cluster kafka-cluster (literal) from 10.0.0.1"]);
    }

    #[test]
    fn what_is_missing_or_unknown_is_said() {
        let nameless = added("add --resource group --principal User:alice --operation read").unwrap_err();
        assert!(nameless.contains("which group?"), "{nameless}");
        let unknown = added("add --resource queue --name a --principal User:alice --operation read").unwrap_err();
        assert!(unknown.contains("topic, group, cluster"), "{unknown}");
    }

    #[test]
    fn rules_are_found_by_all_that_is_named() {
        let Command::List { which, .. } = parsed("list --name orders --applying --permission deny").unwrap() else {
            panic!("a list");
        };
        let expected = AclFilter {
            name: Some("orders".to_owned()),
            pattern: AclPatternFilter::Applies,
            permission: Some(AclPermission::Deny),
            ..Default::default()
        };
        assert_eq!(which.filter(), expected);
    }
}
