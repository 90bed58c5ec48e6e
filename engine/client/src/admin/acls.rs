//! Access rules: who may do what, from where, and on which resources (KIP-11, KIP-290).

use std::fmt;
use std::str::FromStr;

use ringlog_protocol::create_acls::{AclCreation, CreateAclsRequest};
use ringlog_protocol::delete_acls::{DeleteAclsFilter, DeleteAclsRequest};
use ringlog_protocol::describe_acls::DescribeAclsRequest;

use super::Admin;
use crate::ClientError;
use crate::client::Lane;

/// An access rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl {
    /// On what kind of resource.
    pub resource: AclResource,
    /// The resource's name, or how it begins: by `pattern`. `*` with [`AclPattern::Literal`] is every one; a cluster's is
    /// `kafka-cluster`.
    pub name: String,
    /// How the name is meant.
    pub pattern: AclPattern,
    /// Who: `User:alice`; `User:*` is everyone.
    pub principal: String,
    /// From where: an address; `*` is everywhere.
    pub host: String,
    /// To do what.
    pub operation: AclOperation,
    /// Whether it may. What is denied is denied, whatever else allows it.
    pub permission: AclPermission,
}

/// Which rules are meant: those that agree in everything that is named here. The default are all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclFilter {
    /// On this kind of resource.
    pub resource: Option<AclResource>,
    /// On this name.
    pub name: Option<String>,
    /// How the rule's name and this one must agree.
    pub pattern: AclPatternFilter,
    /// For exactly this principal.
    pub principal: Option<String>,
    /// For exactly this host.
    pub host: Option<String>,
    /// For exactly this operation.
    pub operation: Option<AclOperation>,
    /// Only those that allow, or those that deny.
    pub permission: Option<AclPermission>,
}

/// How the name of a filter finds rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AclPatternFilter {
    /// Rules of this name, of whatever pattern.
    #[default]
    Any,
    /// Every rule that applies to a resource of this name: its own, those on how it begins, and those on `*`.
    Applies,
    /// Rules of this name and this pattern.
    Is(AclPattern),
}

/// Declares what Kafka has a number for: its names are those of Kafka's tools.
macro_rules! numbered {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// One that this client does not know, by Kafka's number.
            Other(i8),
        }

        impl $name {
            fn code(self) -> i8 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            fn from_code(code: i8) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => out.write_str($text),)+
                    Self::Other(code) => write!(out, "number {code}"),
                }
            }
        }

        /// By the name that `Display` gives; the error says which there are.
        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(format!("'{text}' is none of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

numbered! {
    /// A kind of resource.
    AclResource {
        /// A topic.
        Topic = 2 "topic",
        /// A consumer group.
        Group = 3 "group",
        /// The cluster itself.
        Cluster = 4 "cluster",
        /// A `transactional.id`.
        TransactionalId = 5 "transactional-id",
        /// A delegation token, by its id.
        DelegationToken = 6 "delegation-token",
        /// A user, whose tokens others may handle.
        User = 7 "user",
    }
}

numbered! {
    /// How a rule's name is meant.
    AclPattern {
        /// It is the resource's name.
        Literal = 3 "literal",
        /// The resource's name begins so.
        Prefixed = 4 "prefixed",
    }
}

numbered! {
    /// What somebody does.
    AclOperation {
        /// Everything.
        All = 2 "all",
        /// Reads records, joins a group, commits.
        Read = 3 "read",
        /// Writes records.
        Write = 4 "write",
        /// Creates.
        Create = 5 "create",
        /// Deletes, records as well.
        Delete = 6 "delete",
        /// Changes.
        Alter = 7 "alter",
        /// Looks at it.
        Describe = 8 "describe",
        /// What brokers do among themselves.
        ClusterAction = 9 "cluster-action",
        /// Looks at its settings.
        DescribeConfigs = 10 "describe-configs",
        /// Changes its settings.
        AlterConfigs = 11 "alter-configs",
        /// Writes idempotently.
        IdempotentWrite = 12 "idempotent-write",
        /// Makes tokens for a user.
        CreateTokens = 13 "create-tokens",
        /// Looks at a user's tokens.
        DescribeTokens = 14 "describe-tokens",
        /// Takes part in a transaction that another system commits.
        TwoPhaseCommit = 15 "two-phase-commit",
    }
}

numbered! {
    /// What a rule says.
    AclPermission {
        /// No.
        Deny = 2 "deny",
        /// Yes.
        Allow = 3 "allow",
    }
}

/// `allow User:alice to read topic orders (literal) from *`.
impl fmt::Display for Acl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, name, pattern, principal, host, operation, permission } = self;
        write!(out, "{permission} {principal} to {operation} {resource} {name} ({pattern}) from {host}")
    }
}

/// What stands for everything in a filter.
const ANY: i8 = 1;
/// A pattern type of filters alone.
const APPLIES: i8 = 2;

impl AclPatternFilter {
    fn code(self) -> i8 {
        match self {
            Self::Any => ANY,
            Self::Applies => APPLIES,
            Self::Is(pattern) => pattern.code(),
        }
    }
}

impl Admin {
    /// The access rules that match, sorted.
    ///
    /// # Errors
    /// [`SecurityDisabled`](ringlog_protocol::ErrorCode::SecurityDisabled) by a broker that enforces none, and others.
    pub async fn acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, ClientError> {
        let request = DescribeAclsRequest {
            resource_type_filter: filter.resource.map_or(ANY, AclResource::code),
            resource_name_filter: filter.name.as_deref().map(Into::into),
            pattern_type_filter: filter.pattern.code(),
            principal_filter: filter.principal.as_deref().map(Into::into),
            host_filter: filter.host.as_deref().map(Into::into),
            operation: filter.operation.map_or(ANY, AclOperation::code),
            permission_type: filter.permission.map_or(ANY, AclPermission::code),
        };
        self.retry(|| async {
            let reply = self.client.any(Lane::SHARED).await?.call(&request).await?;
            let answer = reply.read()?;
            ClientError::check(answer.error_code, || "access rules".to_owned(), answer.error_message.as_deref())?;
            let rules = answer.resources.iter().flat_map(|resource| {
                resource.acls.iter().map(|rule| Acl {
                    resource: AclResource::from_code(resource.resource_type),
                    name: resource.resource_name.clone().into_owned(),
                    pattern: AclPattern::from_code(resource.pattern_type),
                    principal: rule.principal.clone().into_owned(),
                    host: rule.host.clone().into_owned(),
                    operation: AclOperation::from_code(rule.operation),
                    permission: AclPermission::from_code(rule.permission_type),
                })
            });
            let mut rules: Vec<_> = rules.collect();
            rules.sort();
            Ok(rules)
        })
        .await
    }

    /// Adds access rules. One that is there already stays as it is.
    ///
    /// # Errors
    /// Of the first rule that is refused; the others may have been added.
    /// [`SecurityDisabled`](ringlog_protocol::ErrorCode::SecurityDisabled) by a broker that enforces none, and others.
    pub async fn create_acls(&self, rules: &[Acl]) -> Result<(), ClientError> {
        let creation = |rule: &Acl| AclCreation {
            resource_type: rule.resource.code(),
            resource_name: rule.name.clone().into(),
            resource_pattern_type: rule.pattern.code(),
            principal: rule.principal.clone().into(),
            host: rule.host.clone().into(),
            operation: rule.operation.code(),
            permission_type: rule.permission.code(),
        };
        let request = CreateAclsRequest { creations: rules.iter().map(creation).collect() };
        self.retry(|| async {
            let reply = self.client.controller().await?.call(&request).await?;
            // In the order of the request.
            let results = reply.read()?.results;
            rules.iter().zip(&results).try_for_each(|(rule, row)| {
                ClientError::check(row.error_code, || format!("rule '{rule}'"), row.error_message.as_deref())
            })
        })
        .await
    }

    /// Deletes the access rules that match, and gives them, sorted; without those of an attempt whose answer was lost.
    ///
    /// # Errors
    /// Of the first rule that could not be deleted; the others may be gone.
    /// [`SecurityDisabled`](ringlog_protocol::ErrorCode::SecurityDisabled) by a broker that enforces none, and others.
    pub async fn delete_acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, ClientError> {
        let request = DeleteAclsRequest {
            filters: vec![DeleteAclsFilter {
                resource_type_filter: filter.resource.map_or(ANY, AclResource::code),
                resource_name_filter: filter.name.as_deref().map(Into::into),
                pattern_type_filter: filter.pattern.code(),
                principal_filter: filter.principal.as_deref().map(Into::into),
                host_filter: filter.host.as_deref().map(Into::into),
                operation: filter.operation.map_or(ANY, AclOperation::code),
                permission_type: filter.permission.map_or(ANY, AclPermission::code),
            }],
        };
        self.retry(|| async {
            let reply = self.client.controller().await?.call(&request).await?;
            let mut deleted = Vec::new();
            for result in reply.read()?.filter_results {
                let subject = || "access rules".to_owned();
                ClientError::check(result.error_code, subject, result.error_message.as_deref())?;
                for row in result.matching_acls {
                    let rule = Acl {
                        resource: AclResource::from_code(row.resource_type),
                        name: row.resource_name.into_owned(),
                        pattern: AclPattern::from_code(row.pattern_type),
                        principal: row.principal.into_owned(),
                        host: row.host.into_owned(),
                        operation: AclOperation::from_code(row.operation),
                        permission: AclPermission::from_code(row.permission_type),
                    };
                    ClientError::check(row.error_code, || format!("rule '{rule}'"), row.error_message.as_deref())?;
                    deleted.push(rule);
                }
            }
            deleted.sort();
            Ok(deleted)
        })
        .await
    }
}
