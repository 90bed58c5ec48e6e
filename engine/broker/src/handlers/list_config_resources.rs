//! ListConfigResources: what settings can be set on (KIP-1142). Version 0 asks for client metrics, of which there are none.

use ringlog_protocol::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use ringlog_protocol::{ErrorCode, Str};

use crate::config_resource::{BROKER, KINDS, TOPIC};
use crate::request::Incoming;

pub(crate) fn serve(incoming: &Incoming, request: &ListConfigResourcesRequest) -> ListConfigResourcesResponse<'static> {
    let asked =
        |kind| incoming.version > 0 && (request.resource_types.is_empty() || request.resource_types.contains(&kind));
    let broker = incoming.broker();
    if request.resource_types.iter().any(|kind| !KINDS.contains(kind)) {
        let error_code = ErrorCode::UnsupportedVersion as i16;
        return ListConfigResourcesResponse { error_code, ..Default::default() };
    }
    let mut config_resources = Vec::new();
    if asked(TOPIC) {
        let topic = |name: &str| ConfigResource { resource_name: Str::Owned(name.to_owned()), resource_type: TOPIC };
        config_resources.extend(broker.topics.all().iter().map(|known| topic(&known.name)));
    }
    if asked(BROKER) {
        let resource_name = Str::Owned(broker.node_id.to_string());
        config_resources.push(ConfigResource { resource_name, resource_type: BROKER });
    }
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}
