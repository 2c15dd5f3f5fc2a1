/** Layer `diagnostics_channel`. */

import type { Layer } from "../../layers";
import { Channel, channel, hasSubscribers, subscribe, unsubscribe } from "./channel";
import { TracingChannel, tracingChannel } from "./tracing";

const layer: Layer = () => ({
  "node:diagnostics_channel": { Channel, TracingChannel, channel, hasSubscribers, subscribe, tracingChannel, unsubscribe },
});

export default layer;
