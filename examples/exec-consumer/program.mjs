#!/usr/bin/env node
// Serves JSON files in one folder for rekey's consumer `exec`: node program.mjs /srv/targets
import { text } from "node:stream/consumers";
import { serve } from "./serve.mjs";

const request = JSON.parse(await text(process.stdin));
const answer = serve(request, process.argv[2]);
process.stdout.write(JSON.stringify({ protocol: 1, id: request.id, ...answer }));
