// After "forget me": what this browser itself remembered goes as well.

import { forgetAll } from "./recent.js";

forgetAll();
