/** Loaded when the first request is made: it takes longer to load than most commands take to run. */
export { Agent, ProxyAgent } from "undici";
