// Writes the list of what Beeline runs with (CycloneDX, by npm itself), and checks that no package of the lock file is missing.
//
//   npm run sbom                  build/beeline.cdx.json
//   npm run sbom -- FILE
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const [target = 'build/beeline.cdx.json'] = process.argv.slice(2);
const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
// By the lock file, and not by `--omit dev`: that leaves out every package that a developer's package needs too, ws and yaml among them.
const wanted = new Set(
  Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(
      ([path, found]) =>
        `${found.name ?? path.slice(path.lastIndexOf('node_modules/') + 13)}@${found.version}`,
    ),
);

const npm = ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--package-lock-only'];
const bom = JSON.parse(execFileSync('npm', npm, { encoding: 'utf8', maxBuffer: 2 ** 26 }));
const root = bom.metadata.component;
// npm calls it by the name of the folder.
Object.assign(root, { name, version });
bom.components = bom.components.filter((component) => wanted.has(`${component.name}@${component.version}`));
const kept = new Set([root['bom-ref'], ...bom.components.map((component) => component['bom-ref'])]);
bom.dependencies = bom.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) }));
// Where a mirror gave it from says nothing; its hash does.
for (const component of bom.components)
  component.externalReferences = (component.externalReferences ?? []).filter(
    ({ type }) => type !== 'distribution',
  );

const listed = new Set(bom.components.map((component) => `${component.name}@${component.version}`));
const missing = [...wanted].filter((id) => !listed.has(id));
if (missing.length > 0) {
  console.error(`The list lacks ${missing.join(', ')}.`);
  process.exit(1);
}
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, `${JSON.stringify(bom, null, 2)}\n`);
console.log(`${target}: ${bom.components.length} packages, CycloneDX ${bom.specVersion}`);
