# SPDX-License-Identifier: Apache-2.0
# node: files, child processes, workers, sockets.
# timeout: 200
. "$(dirname "$0")/lib.sh"
need node
cat >n.js <<'J'
const fs = require('fs'), cp = require('child_process'), net = require('net'), os = require('os'), path = require('path');
fs.mkdirSync('a/b/c', { recursive: true }); fs.writeFileSync('a/b/c/f', 'x'.repeat(1000)); fs.renameSync('a', 'z');
console.log(fs.statSync('z/b/c/f').size, fs.readdirSync('dir').sort(), fs.realpathSync('dirlink') === path.resolve('dir'));
console.log(cp.execSync('echo sync | cat').toString(), cp.spawnSync('sh', ['-c', 'exit 4']).status);
try { fs.readFileSync('/no/such'); } catch (e) { console.log(e.code); }
fs.rmSync('z', { recursive: true });
cp.exec('echo async', (e, out) => { console.log(out);
  const { Worker } = require('worker_threads');
  new Worker('require("worker_threads").parentPort.postMessage(6*7)', { eval: true }).on('message', m => { console.log(m);
    const s = net.createServer(c => c.end('hello')).listen('n.sock', () => net.connect('n.sock').on('data', d => { console.log(d.toString()); s.close();
      Promise.all([...Array(200).keys()].map(i => fs.promises.writeFile('p' + i, '' + i).then(() => fs.promises.readFile('p' + i, 'utf8')))).then(v => console.log(v.map(Number).reduce((a, b) => a + b))); })); }); });
J
same node n.js
same node -e 'process.on("SIGTERM", () => { console.log("term"); process.exit(9); }); process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 5000)'
finish
