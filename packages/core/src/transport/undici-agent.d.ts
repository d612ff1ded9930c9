// The Agent by itself: undici's entry puts an Agent of its own under the fetch of the whole process when it is loaded.
declare module 'undici/lib/dispatcher/agent.js' {
  export { Agent as default } from 'undici';
}
