// Loaded before everything else (`node --import`): to Beeline the process is then on the platform that AS_PLATFORM names. What Node
// itself decides by the platform it has decided before: paths have slashes, and files are Linux's.
Object.defineProperty(process, 'platform', { value: process.env.AS_PLATFORM });
