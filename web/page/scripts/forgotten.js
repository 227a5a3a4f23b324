// After "forget me": deletes the recent searches that this browser stored.

import { forgetAll } from "./recent.js";

forgetAll();
