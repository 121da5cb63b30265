# Events from an outbox table, routed by Debezium's EventRouter: the payload is an event's `data`, type and time are columns that the router puts into headers.
{
  id: .headers.id,
  type: .headers.type,
  time: (.headers.time // .value.createdAt?),
  data: .value
}
