/** `RpcTarget`: the base class of objects that are lent instead of copied. */

import { exposeInterface } from "../web/interface";

export class RpcTarget {}

exposeInterface("RpcTarget", RpcTarget);
