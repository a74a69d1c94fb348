import { describe, expect, test } from "vitest";
import { blobOf, randomBlob } from "../contract/content.js";
import { expectError, pushBlob, useRegistry } from "./client.js";

const client = useRegistry();

describe("end-1: the base of the API", () => {
  test.each(["/v2/", "/v2", "/v2/?x=1"])("GET %s", async (path) => {
    const answer = await client.send("GET", path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
    expect(answer.json()).toEqual({});
  });

  test("what is not a path of it is not found", async () => {
    for (const path of ["/", "/v1/search", "/v2/app", "/v2/app/other/x"]) {
      expect((await client.send("GET", path)).status).toBe(404);
    }
  });
});

describe("end-2: reading a blob", () => {
  test("GET and HEAD say the same, and GET has the bytes", async () => {
    const blob = randomBlob(400_000);
    await pushBlob(client, "blobs/read", blob);
    const path = `/v2/blobs/read/blobs/${blob.digest}`;
    const [head, get] = [await client.send("HEAD", path), await client.send("GET", path)];
    for (const answer of [head, get]) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-length")).toBe("400000");
      expect(answer.headers.get("docker-content-digest")).toBe(blob.digest);
      expect(answer.headers.get("content-type")).toBe("application/octet-stream");
      expect(answer.headers.get("accept-ranges")).toBe("bytes");
    }
    expect(head.bytes.length).toBe(0);
    expect(get.bytes.equals(blob.bytes)).toBe(true);
  });

  test("a blob without a byte", async () => {
    await pushBlob(client, "blobs/read", blobOf(""));
    const answer = await client.send("GET", `/v2/blobs/read/blobs/${blobOf("").digest}`);
    expect([answer.status, answer.headers.get("content-length"), answer.bytes.length]).toEqual([200, "0", 0]);
  });

  test.each([
    ["bytes=0-9", 0, 10],
    ["bytes=100-", 100, 1_000_000],
    ["bytes=-5", 999_995, 1_000_000],
    ["bytes=10-399999", 10, 400_000],
  ])("Range: %s", async (range, start, end) => {
    const blob = randomBlob(1_000_000);
    await pushBlob(client, "blobs/range", blob);
    const answer = await client.send("GET", `/v2/blobs/range/blobs/${blob.digest}`, { headers: { range } });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/1000000`);
    expect(answer.headers.get("content-length")).toBe(String(end - start));
    expect(answer.bytes.equals(blob.bytes.subarray(start, end))).toBe(true);
  });

  test("a range behind the end is 416, with the size", async () => {
    const blob = randomBlob(10);
    await pushBlob(client, "blobs/range", blob);
    const path = `/v2/blobs/range/blobs/${blob.digest}`;
    const answer = await client.send("GET", path, { headers: { range: "bytes=10-" } });
    expectError(answer, 416, "SIZE_INVALID");
    expect(answer.headers.get("content-range")).toBe("bytes */10");
  });

  test("a range of another version is answered with the whole blob", async () => {
    const blob = randomBlob(10);
    await pushBlob(client, "blobs/range", blob);
    const path = `/v2/blobs/range/blobs/${blob.digest}`;
    const headers = { range: "bytes=2-3", "if-range": '"another"' };
    expect((await client.send("GET", path, { headers })).status).toBe(200);
    headers["if-range"] = `"${blob.digest}"`;
    expect((await client.send("GET", path, { headers })).status).toBe(206);
  });

  test("who has it already is told so", async () => {
    const blob = randomBlob();
    await pushBlob(client, "blobs/read", blob);
    const answer = await client.send("GET", `/v2/blobs/read/blobs/${blob.digest}`, {
      headers: { "if-none-match": `W/"x", "${blob.digest}"` },
    });
    expect([answer.status, answer.bytes.length]).toEqual([304, 0]);
  });

  test("what isn't there: the blob, or the whole repository", async () => {
    await pushBlob(client, "blobs/read", randomBlob());
    const { digest } = randomBlob();
    expectError(await client.send("GET", `/v2/blobs/read/blobs/${digest}`), 404, "BLOB_UNKNOWN");
    expectError(await client.send("GET", `/v2/blobs/never/blobs/${digest}`), 404, "NAME_UNKNOWN");
    expect((await client.send("HEAD", `/v2/blobs/read/blobs/${digest}`)).status).toBe(404);
  });

  test("a blob of another repository isn't seen", async () => {
    const blob = randomBlob();
    await pushBlob(client, "blobs/mine", blob);
    await pushBlob(client, "blobs/other", randomBlob());
    expectError(await client.send("GET", `/v2/blobs/other/blobs/${blob.digest}`), 404, "BLOB_UNKNOWN");
  });

  test.each([
    "sha256:abc",
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    "x",
    `sha256:${"A".repeat(64)}`,
    "..%2f..%2fetc",
  ])("%s is no digest", async (digest) => {
    expectError(await client.send("GET", `/v2/blobs/read/blobs/${digest}`), 400, "DIGEST_INVALID");
  });
});

describe("names", () => {
  test.each(["..", "a/../b", "a/%2e%2e/b", "a%2f..%2fb", "UPPER", "a//b", "-a", "a/_uploads"])(
    "%s is refused everywhere",
    async (name) => {
      const { digest } = randomBlob();
      expectError(await client.send("GET", `/v2/${name}/blobs/${digest}`), 400, "NAME_INVALID");
      expectError(await client.send("POST", `/v2/${name}/blobs/uploads/`), 400, "NAME_INVALID");
      expectError(await client.send("GET", `/v2/${name}/manifests/v1`), 400, "NAME_INVALID");
      expectError(await client.send("GET", `/v2/${name}/tags/list`), 400, "NAME_INVALID");
      expectError(await client.send("GET", `/v2/${name}/referrers/${digest}`), 400, "NAME_INVALID");
    },
  );

  test("the words of the API may be names", async () => {
    for (const name of ["blobs", "manifests/tags", "tags/list", "blobs/uploads"]) {
      const blob = randomBlob();
      await pushBlob(client, name, blob);
      expect((await client.send("HEAD", `/v2/${name}/blobs/${blob.digest}`)).status).toBe(200);
    }
  });
});

describe("end-10: deleting a blob", () => {
  test("it goes from its repository only", async () => {
    const blob = randomBlob();
    await pushBlob(client, "blobs/delete", blob);
    await pushBlob(client, "blobs/keep", blob);
    const path = `/v2/blobs/delete/blobs/${blob.digest}`;
    expect((await client.send("DELETE", path)).status).toBe(202);
    expect((await client.send("HEAD", path)).status).toBe(404);
    expectError(await client.send("DELETE", path), 404, "BLOB_UNKNOWN");
    expect((await client.send("HEAD", `/v2/blobs/keep/blobs/${blob.digest}`)).status).toBe(200);
  });

  test("in an unknown repository, and with a bad digest", async () => {
    const { digest } = randomBlob();
    expectError(await client.send("DELETE", `/v2/blobs/none/blobs/${digest}`), 404, "NAME_UNKNOWN");
    expectError(await client.send("DELETE", "/v2/blobs/none/blobs/sha256:0"), 400, "DIGEST_INVALID");
  });
});

test.each([
  ["PUT", "/v2/"],
  ["PATCH", `/v2/a/blobs/${blobOf("").digest}`],
  ["GET", "/v2/a/blobs/uploads/"],
  ["POST", "/v2/a/manifests/v1"],
  ["DELETE", "/v2/a/tags/list"],
  ["PUT", `/v2/a/referrers/${blobOf("").digest}`],
  ["OPTIONS", "/v2/_catalog"],
])("%s %s is not allowed, and the answer says what is", async (method, path) => {
  const answer = await client.send(method, path);
  expectError(answer, 405, "UNSUPPORTED");
  expect(answer.headers.get("allow")).toMatch(/^[A-Z]+(, [A-Z]+)*$/);
  expect(answer.headers.get("allow")?.split(", ")).not.toContain(method);
});
