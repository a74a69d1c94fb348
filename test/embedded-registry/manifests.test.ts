import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/oci/digest.js";
import { descriptorOf, rawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import { jsonManifest, newIndex, randomBlob } from "../contract/content.js";
import { expectError, pushBlob, pushImage, pushImageBlobs, putManifest, useRegistry } from "./client.js";

const client = useRegistry({ maxManifestBytes: 100_000 });

describe("end-3 and end-7: manifests by tag and digest", () => {
  test("what was pushed comes back, byte for byte", async () => {
    const image = await pushImageBlobs(client, "man/app");
    const odd = rawManifest(Buffer.from(`\n${Buffer.from(image.bytes).toString()}  \n`), image.mediaType);
    const put = await putManifest(client, "man/app", "v1", odd);
    expect(put.status).toBe(201);
    expect(put.headers.get("location")).toBe(`/v2/man/app/manifests/${odd.digest}`);
    expect(put.headers.get("docker-content-digest")).toBe(odd.digest);
    for (const reference of ["v1", odd.digest]) {
      const path = `/v2/man/app/manifests/${reference}`;
      const [get, head] = [await client.send("GET", path), await client.send("HEAD", path)];
      for (const answer of [get, head]) {
        expect(answer.status).toBe(200);
        expect(answer.headers.get("content-type")).toBe(mediaTypes.ociManifest);
        expect(answer.headers.get("docker-content-digest")).toBe(odd.digest);
        expect(answer.headers.get("content-length")).toBe(String(odd.bytes.length));
      }
      expect(get.bytes.equals(odd.bytes)).toBe(true);
      expect(head.bytes.length).toBe(0);
    }
  });

  test("the media type is the one of the request, without its parameters, or the one inside", async () => {
    const image = await pushImageBlobs(client, "man/types");
    const path = "/v2/man/types/manifests/v1";
    for (const type of [`${image.mediaType}; charset=utf-8`, undefined]) {
      const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
      expect((await client.send("PUT", path, { body: image.bytes, headers })).status).toBe(201);
      expect((await client.send("HEAD", path)).headers.get("content-type")).toBe(image.mediaType);
    }
  });

  test("by its sha512", async () => {
    const image = await pushImageBlobs(client, "man/app");
    const digest = digestOf(image.bytes, "sha512");
    const put = await putManifest(client, "man/app", digest, { ...image, digest });
    expect([put.status, put.headers.get("docker-content-digest")]).toEqual([201, digest]);
    expect((await client.send("GET", `/v2/man/app/manifests/${digest}`)).bytes.equals(image.bytes)).toBe(
      true,
    );
  });

  test("by digest with several tags", async () => {
    const image = await pushImageBlobs(client, "man/tags");
    const put = await putManifest(client, "man/tags", `${image.digest}?tag=a&tag=b`, image);
    expect([put.status, put.headers.get("oci-tag")]).toEqual([201, "a, b"]);
    for (const tag of ["a", "b"]) {
      const head = await client.send("HEAD", `/v2/man/tags/manifests/${tag}`);
      expect(head.headers.get("docker-content-digest")).toBe(image.digest);
    }
    expectError(
      await putManifest(client, "man/tags", `${image.digest}?tag=..`, image),
      400,
      "MANIFEST_INVALID",
    );
  });

  test("a client that has it is told so", async () => {
    const image = await pushImage(client, "man/app", ["etag"]);
    const headers = { "if-none-match": `"${image.digest}"` };
    expect((await client.send("GET", "/v2/man/app/manifests/etag", { headers })).status).toBe(304);
  });

  test("what isn't there: the manifest, or the whole repository", async () => {
    await pushImage(client, "man/app", ["v1"]);
    for (const reference of ["absent", randomBlob().digest, ".not-a-tag", "x".repeat(129)]) {
      expectError(await client.send("GET", `/v2/man/app/manifests/${reference}`), 404, "MANIFEST_UNKNOWN");
      expectError(await client.send("GET", `/v2/man/never/manifests/${reference}`), 404, "NAME_UNKNOWN");
    }
    expectError(await client.send("GET", "/v2/man/app/manifests/sha256:12"), 400, "DIGEST_INVALID");
    expectError(await client.send("GET", "/v2/man/app/manifests/md5:12"), 400, "DIGEST_INVALID");
  });
});

describe("manifests that are refused", () => {
  test("bytes that are not those of the digest", async () => {
    const image = await pushImageBlobs(client, "man/bad");
    const { digest } = randomBlob();
    expectError(await putManifest(client, "man/bad", digest, image), 400, "DIGEST_INVALID");
    expect((await client.send("HEAD", `/v2/man/bad/manifests/${image.digest}`)).status).toBe(404);
  });

  test.each([".x", "-x", "a%20b", "x".repeat(129), "a%2f..%2fb"])("the tag %s", async (tag) => {
    const image = await pushImageBlobs(client, "man/bad");
    expectError(await putManifest(client, "man/bad", tag, image), 400, "MANIFEST_INVALID");
  });

  test.each([
    ["no JSON", "{", mediaTypes.ociManifest],
    ["no object", "[]", mediaTypes.ociManifest],
    ["no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), mediaTypes.ociManifest],
    ["no config", '{"schemaVersion":2,"layers":[]}', mediaTypes.ociManifest],
    ["a list of manifests that is none", '{"schemaVersion":2,"manifests":{}}', mediaTypes.ociIndex],
    ["nested too deep", `${'{"a":'.repeat(100)}1${"}".repeat(100)}`, mediaTypes.ociManifest],
    ["Docker's schema 1", '{"schemaVersion":1}', mediaTypes.dockerSchema1Signed],
    ["another media type inside", `{"mediaType":"${mediaTypes.ociIndex}"}`, mediaTypes.ociManifest],
    ["a media type that is none", "{}", "not a type"],
    ["no media type at all", "{}", ""],
  ])("%s", async (_what, body, type) => {
    const headers = { "content-type": type };
    expectError(
      await client.send("PUT", "/v2/man/bad/manifests/x", { body, headers }),
      400,
      "MANIFEST_INVALID",
    );
  });

  test("one that is too large, announced or not", async () => {
    const body = Buffer.alloc(100_001, 0x20);
    const headers = { "content-type": mediaTypes.ociManifest };
    const path = "/v2/man/bad/manifests/large";
    expectError(await client.send("PUT", path, { body, headers }), 413, "SIZE_INVALID");
    const chunked = { ...headers, "transfer-encoding": "chunked", "content-length": [] as never };
    expectError(await client.send("PUT", path, { body, headers: chunked }), 413, "SIZE_INVALID");
  });

  test("an image whose layer the repository hasn't, though another has", async () => {
    const image = await pushImageBlobs(client, "man/elsewhere");
    const answer = await putManifest(client, "man/bad", "x", image);
    expectError(answer, 400, "MANIFEST_BLOB_UNKNOWN");
    const { config, layers } = JSON.parse(Buffer.from(image.bytes).toString());
    expect(answer.json()).toMatchObject({
      errors: [{ detail: [{ digest: config.digest }, { digest: layers[0].digest }] }],
    });
    expect((await client.send("HEAD", "/v2/man/bad/manifests/x")).status).toBe(404);
  });

  test("an index whose child is missing", async () => {
    const [there, absent] = [await pushImage(client, "man/bad"), await pushImageBlobs(client, "man/bad")];
    const answer = await putManifest(client, "man/bad", "x", newIndex([there, absent]));
    expectError(answer, 400, "MANIFEST_BLOB_UNKNOWN");
    expect(answer.json()).toMatchObject({ errors: [{ detail: [{ digest: absent.digest }] }] });
  });
});

describe("manifests that are taken", () => {
  test("layers that live elsewhere need not be here", async () => {
    const absent = { digest: randomBlob().digest, size: 64 };
    const image = await pushImageBlobs(client, "man/foreign");
    const json = JSON.parse(Buffer.from(image.bytes).toString());
    const layers = [
      { ...absent, mediaType: mediaTypes.dockerForeignLayerGzip },
      { ...absent, mediaType: mediaTypes.ociLayer, urls: ["https://elsewhere.example/layer"] },
      { ...absent, mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" },
    ];
    const manifest = jsonManifest(mediaTypes.ociManifest, { ...json, layers });
    expect((await putManifest(client, "man/foreign", "v1", manifest)).status).toBe(201);
  });

  test("an index may list blobs, as BuildKit's cache does", async () => {
    const blob = randomBlob();
    await pushBlob(client, "man/cache", blob);
    const layer = { mediaType: mediaTypes.ociLayerGzip, digest: blob.digest, size: blob.size };
    const index = jsonManifest(mediaTypes.ociIndex, { schemaVersion: 2, manifests: [layer] });
    expect((await putManifest(client, "man/cache", "v1", index)).status).toBe(201);
  });

  test("a manifest of a type that nobody knows", async () => {
    const manifest = jsonManifest("application/vnd.test.unknown+json", { anything: [1, 2] });
    expect((await putManifest(client, "man/unknown", "v1", manifest)).status).toBe(201);
    const get = await client.send("GET", "/v2/man/unknown/manifests/v1");
    expect(get.headers.get("content-type")).toBe("application/vnd.test.unknown+json");
  });
});

describe("end-9: deletion", () => {
  test("a tag goes alone", async () => {
    const image = await pushImage(client, "man/delete", ["goes", "stays"]);
    const path = "/v2/man/delete/manifests";
    expect((await client.send("DELETE", `${path}/goes`)).status).toBe(202);
    expectError(await client.send("DELETE", `${path}/goes`), 404, "MANIFEST_UNKNOWN");
    expect((await client.send("HEAD", `${path}/stays`)).status).toBe(200);
    expect((await client.send("HEAD", `${path}/${image.digest}`)).status).toBe(200);
  });

  test("a digest goes with all its tags", async () => {
    const image = await pushImage(client, "man/delete", ["a", "b"]);
    const path = "/v2/man/delete/manifests";
    expect((await client.send("DELETE", `${path}/${image.digest}`)).status).toBe(202);
    for (const reference of ["a", "b", image.digest]) {
      expectError(await client.send("GET", `${path}/${reference}`), 404, "MANIFEST_UNKNOWN");
    }
    expectError(await client.send("DELETE", `${path}/${image.digest}`), 404, "MANIFEST_UNKNOWN");
  });

  test("what isn't there", async () => {
    expectError(await client.send("DELETE", "/v2/man/none/manifests/v1"), 404, "NAME_UNKNOWN");
    expectError(await client.send("DELETE", "/v2/man/none/manifests/sha256:1"), 400, "DIGEST_INVALID");
  });
});

describe("end-12: referrers", () => {
  const list = async (
    name: string,
    digest: string,
    query = "",
  ): Promise<{ manifests: { digest: string }[] }> => {
    const answer = await client.send("GET", `/v2/${name}/referrers/${digest}${query}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe(mediaTypes.ociIndex);
    return answer.json() as { manifests: { digest: string }[] };
  };

  test("the PUT names the subject, and the subject its referrers", async () => {
    const subject = descriptorOf(await pushImage(client, "man/ref", ["v1"]));
    const signature = await pushImageBlobs(client, "man/ref", {
      subject,
      artifactType: "application/vnd.test.sig",
      annotations: { a: "b" },
    });
    const put = await putManifest(client, "man/ref", signature.digest, signature);
    expect(put.headers.get("oci-subject")).toBe(subject.digest);
    expect(await list("man/ref", subject.digest)).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        { ...descriptorOf(signature), artifactType: "application/vnd.test.sig", annotations: { a: "b" } },
      ],
    });
  });

  test("they are filtered by their type, and the answer says so", async () => {
    const subject = descriptorOf(await pushImage(client, "man/filter"));
    const wanted = await pushImage(client, "man/filter", [], { subject, artifactType: "application/x" });
    await pushImage(client, "man/filter", [], { subject, artifactType: "application/y" });
    const query = "?artifactType=application%2Fx";
    const found = await list("man/filter", subject.digest, query);
    expect(found.manifests.map((manifest) => manifest.digest)).toEqual([wanted.digest]);
    const answer = await client.send("GET", `/v2/man/filter/referrers/${subject.digest}${query}`);
    expect(answer.headers.get("oci-filters-applied")).toBe("artifactType");
    const all = await client.send("GET", `/v2/man/filter/referrers/${subject.digest}`);
    expect(all.headers.get("oci-filters-applied")).toBeNull();
  });

  test("nothing known is an empty list and never 404", async () => {
    for (const name of ["man/ref", "man/nothing"]) {
      expect((await list(name, randomBlob().digest)).manifests).toEqual([]);
    }
    expectError(await client.send("GET", "/v2/man/ref/referrers/sha256:1"), 400, "DIGEST_INVALID");
    expectError(await client.send("GET", "/v2/man/ref/referrers/v1"), 400, "DIGEST_INVALID");
  });

  test("a deleted one is gone", async () => {
    const subject = descriptorOf(await pushImage(client, "man/ref"));
    const referrer = await pushImage(client, "man/ref", [], { subject });
    await client.send("DELETE", `/v2/man/ref/manifests/${referrer.digest}`);
    expect((await list("man/ref", subject.digest)).manifests).toEqual([]);
  });

  test("many come in pages", async () => {
    const subject = { mediaType: mediaTypes.ociManifest, digest: randomBlob().digest, size: 3 };
    const pushed: string[] = [];
    for (let i = 0; i < 1003; i++) {
      const manifest = jsonManifest(mediaTypes.ociIndex, {
        schemaVersion: 2,
        manifests: [],
        subject,
        annotations: { i: String(i) },
      });
      await client.registry.server.root.repository("man/pages").writeManifest(manifest);
      pushed.push(manifest.digest);
    }
    const first = await client.send("GET", `/v2/man/pages/referrers/${subject.digest}`);
    const link = /^<([^>]+)>; rel="next"$/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
    const second = await client.send("GET", link);
    expect(second.headers.get("link")).toBeNull();
    const found = [first, second].flatMap(
      (page) => (page.json() as { manifests: { digest: string }[] }).manifests,
    );
    expect(found.map((manifest) => manifest.digest)).toEqual(pushed.sort());
  });
});
