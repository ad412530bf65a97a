// Switchback from Node.js, by any client of Redis (Debian: node-redis; npm: redis).
//
//   node examples/node/example.js [PORT]
const { createClient } = require('redis');

async function main() {
  const client = createClient({
    socket: { host: '127.0.0.1', port: Number(process.argv[2] ?? 6380) },
    password: process.env.SWITCHBACK_PASSWORD,
  });
  client.on('error', (error) => console.error(error.message));
  await client.connect();

  await client.set('node:alice', '1');
  await client.incr('node:alice');
  console.log('alice =', await client.get('node:alice'));

  // One batch of the commit log: both stores get all of it, or nothing.
  await client.multi().set('node:bob', '7').del('node:alice').exec();
  console.log('alice =', await client.get('node:alice'), 'bob =', await client.get('node:bob'));

  // Commands of one turn go out together, and share one sync of the disk.
  await Promise.all([1, 2, 3].map((n) => client.set(`node:many:${n}`, String(n))));
  const keys = [];
  for await (const key of client.scanIterator({ MATCH: 'node:many:*' })) keys.push(key);
  console.log('many =', keys.sort().join(' '));

  await client.quit();
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
