import type { RunContext } from "../../src/core/run-context.js";
import { openGitRepository } from "../../src/git/open.js";
import type { Commit, GitRepository } from "../../src/git/repository.js";
import type { Digest } from "../../src/oci/digest.js";
import { descriptorOf, type RawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import type { PublishedImage } from "../../src/records/published-image.js";
import { type TestWorkTree, testWorkTree } from "./git-work-tree.js";
import type { MemoryStore } from "./memory-store.js";

/** A committed chart, opened. */
export interface BundleProject {
  readonly tree: TestWorkTree;
  readonly git: GitRepository;
  readonly commit: Commit;
  dispose(): Promise<void>;
}

export const chartFiles: Readonly<Record<string, string>> = {
  ".helm/Chart.yaml":
    "# our shop\nname: shop\ndescription: Sells things\nx-team: blue\nmaintainers:\n  - name: Ann\n    email: ann@example.org\n",
  ".helm/values.yaml": "# defaults\nreplicas: 1\nwerf:\n  own: kept\n",
  ".helm/templates/pod.yaml": "image: {{ .Values.werf.image.backend }}\n",
  ".helm/templates/.draft.yaml": "draft",
  ".helm/.helmignore": "*.md\n",
  ".helm/README.md": "not published",
};

export async function bundleProject(
  run: RunContext,
  files: Parameters<TestWorkTree["commit"]>[0],
): Promise<BundleProject> {
  const tree = await testWorkTree();
  await tree.commit(files);
  const git = await openGitRepository(run, tree.path);
  return {
    tree,
    git,
    commit: await git.head(),
    async dispose() {
      await git.close();
      await tree.dispose();
    },
  };
}

/** An image for two platforms, in the store under its tag. */
export function putImage(store: MemoryStore, name: string, tag = `${name}-tag`): PublishedImage {
  const manifests = ["amd64", "arm64"].map((architecture): RawManifest => {
    const config = { architecture, os: "linux", name, rootfs: { type: "layers", diff_ids: ["x"] } };
    return store.putManifest({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: store.putBlob(JSON.stringify(config), mediaTypes.ociConfig),
      layers: [store.putBlob(`code of ${name}`, mediaTypes.ociLayerGzip)],
    });
  });
  const index = store.putManifest(
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: manifests.map(descriptorOf) },
    tag,
  );
  return publishedImage(store.address, name, tag, index.digest);
}

export function publishedImage(
  repository: string,
  name: string,
  tag: string,
  digest: Digest,
): PublishedImage {
  return { name, final: true, repository, tag, digest, platforms: ["linux/amd64"], rebuilt: true };
}
