import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { type Blob, blobOf, randomBlob } from "../contract/content.js";
import { type Answer, breakOff, expectError, pushBlob, useRegistry } from "./client.js";

let nowMs = Date.now();
const client = useRegistry({
  maxBlobBytes: 1_000_000,
  uploadExpiryMs: 60_000,
  clock: { now: () => new Date(nowMs), sleep: () => Promise.resolve() },
});

async function start(name: string, query = ""): Promise<string> {
  const answer = await client.send("POST", `/v2/${name}/blobs/uploads/${query}`);
  expect(answer.status).toBe(202);
  return answer.headers.get("location") ?? "";
}

function staged(): Promise<string[]> {
  return readdir(join(client.registry.server.root.directory, "staging"));
}

async function expectBlob(name: string, blob: Blob): Promise<void> {
  const answer = await client.send("GET", `/v2/${name}/blobs/${blob.digest}`);
  expect(answer.status).toBe(200);
  expect(answer.bytes.equals(blob.bytes)).toBe(true);
}

function expectCreated(answer: Answer, name: string, blob: Blob): void {
  expect(answer.status).toBe(201);
  expect(answer.headers.get("location")).toBe(`/v2/${name}/blobs/${blob.digest}`);
  expect(answer.headers.get("docker-content-digest")).toBe(blob.digest);
}

describe("end-4b: the whole blob in one POST", () => {
  test("it is there", async () => {
    const blob = randomBlob(300_000);
    const answer = await client.send("POST", `/v2/up/post/blobs/uploads/?digest=${blob.digest}`, {
      body: blob.bytes,
    });
    expectCreated(answer, "up/post", blob);
    await expectBlob("up/post", blob);
  });

  test("by its sha512", async () => {
    const blob = blobOf(randomBlob(1000).bytes, "sha512");
    await pushBlob(client, "up/post", blob);
    await expectBlob("up/post", blob);
  });

  test("other bytes than the digest says are refused", async () => {
    const { digest } = randomBlob();
    const answer = await client.send("POST", `/v2/up/wrong/blobs/uploads/?digest=${digest}`, {
      body: "other",
    });
    expectError(answer, 400, "DIGEST_INVALID");
    expect((await client.send("HEAD", `/v2/up/wrong/blobs/${digest}`)).status).toBe(404);
  });

  test("a bad digest is refused", async () => {
    for (const digest of ["", "sha256:1", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"]) {
      const answer = await client.send("POST", `/v2/up/wrong/blobs/uploads/?digest=${digest}`, { body: "x" });
      expectError(answer, 400, "DIGEST_INVALID");
    }
  });
});

describe("end-4a, end-6: POST, then PUT", () => {
  test("the blob comes with the PUT", async () => {
    const blob = randomBlob(1000);
    const location = await start("up/put");
    expectCreated(
      await client.send("PUT", `${location}?digest=${blob.digest}`, { body: blob.bytes }),
      "up/put",
      blob,
    );
    await expectBlob("up/put", blob);
    expectError(await client.send("GET", location), 404, "BLOB_UPLOAD_UNKNOWN");
  });

  test("wrong bytes end the upload, and leave nothing", async () => {
    const { digest } = randomBlob();
    const location = await start("up/put");
    expectError(
      await client.send("PUT", `${location}?digest=${digest}`, { body: "other" }),
      400,
      "DIGEST_INVALID",
    );
    expect((await client.send("HEAD", `/v2/up/put/blobs/${digest}`)).status).toBe(404);
    expectError(await client.send("PUT", `${location}?digest=${digest}`), 404, "BLOB_UPLOAD_UNKNOWN");
  });

  test("without a digest the upload goes on", async () => {
    const blob = blobOf("hello");
    const location = await start("up/put");
    expect((await client.send("PATCH", location, { body: blob.bytes })).status).toBe(202);
    expectError(await client.send("PUT", location), 400, "DIGEST_INVALID");
    expect((await client.send("PUT", `${location}?digest=${blob.digest}`)).status).toBe(201);
  });

  test("the digest may be of another algorithm than the upload was begun for", async () => {
    const [one, two] = [blobOf("one", "sha512"), blobOf("two", "sha512")];
    const plain = await start("up/put");
    expect((await client.send("PUT", `${plain}?digest=${one.digest}`, { body: "one" })).status).toBe(201);
    const announced = await start("up/put", "?digest-algorithm=sha512");
    expect((await client.send("PUT", `${announced}?digest=${two.digest}`, { body: "two" })).status).toBe(201);
    await expectBlob("up/put", two);
  });
});

describe("end-5: in pieces", () => {
  test("each in its place, with the last in the PUT", async () => {
    const blob = randomBlob(300);
    const location = await start("up/pieces");
    const headers = { "content-type": "application/octet-stream" };
    const first = await client.send("PATCH", location, {
      body: blob.bytes.subarray(0, 100),
      headers: { ...headers, "content-range": "0-99" },
    });
    expect([first.status, first.headers.get("range")]).toEqual([202, "0-99"]);
    const second = await client.send("PATCH", first.headers.get("location") ?? "", {
      body: blob.bytes.subarray(100, 200),
      headers: { ...headers, "content-range": "100-199" },
    });
    expect([second.status, second.headers.get("range")]).toEqual([202, "0-199"]);
    const put = await client.send("PUT", `${second.headers.get("location")}?digest=${blob.digest}`, {
      body: blob.bytes.subarray(200),
      headers: { ...headers, "content-range": "200-299" },
    });
    expectCreated(put, "up/pieces", blob);
    await expectBlob("up/pieces", blob);
  });

  test.each(["10-19", "0-9", "6-10"])(
    "a piece at %s after five bytes is 416, and tells where to go on",
    async (range) => {
      const location = await start("up/pieces");
      await client.send("PATCH", location, { body: "hello" });
      const [from = 0, to = 0] = range.split("-").map(Number);
      const answer = await client.send("PATCH", location, {
        body: "x".repeat(to - from + 1),
        headers: { "content-range": range },
      });
      expectError(answer, 416, "BLOB_UPLOAD_INVALID");
      expect(answer.headers.get("range")).toBe("0-4");
      expect(answer.headers.get("location")).toBe(location);
      const blob = blobOf("hello world");
      await client.send("PATCH", location, { body: " world", headers: { "content-range": "5-10" } });
      expect((await client.send("PUT", `${location}?digest=${blob.digest}`)).status).toBe(201);
    },
  );

  test.each([
    ["abc", "BLOB_UPLOAD_INVALID"],
    ["9-5", "BLOB_UPLOAD_INVALID"],
    ["0-", "BLOB_UPLOAD_INVALID"],
    ["0-3", "SIZE_INVALID"],
    ["0-5", "SIZE_INVALID"],
  ])("five bytes with Content-Range %s are refused", async (range, code) => {
    const location = await start("up/pieces");
    const answer = await client.send("PATCH", location, {
      body: "hello",
      headers: { "content-range": range },
    });
    expectError(answer, 400, code);
    expect((await client.send("GET", location)).headers.get("range")).toBe("0-0");
  });

  test("without a Content-Length the range is held to all the same", async () => {
    const location = await start("up/pieces");
    const headers = { "content-range": "0-3", "transfer-encoding": "chunked", "content-length": [] as never };
    const answer = await client.send("PATCH", location, { body: "hello", headers });
    expectError(answer, 413, "SIZE_INVALID");
  });
});

describe("end-13 and giving up", () => {
  test("GET tells how far it is", async () => {
    const location = await start("up/status");
    await client.send("PATCH", location, { body: "hello" });
    const answer = await client.send("GET", location);
    expect([answer.status, answer.headers.get("range")]).toEqual([204, "0-4"]);
    expect(answer.headers.get("location")).toBe(location);
  });

  test("DELETE ends it and frees the disk", async () => {
    const before = (await staged()).length;
    const location = await start("up/status");
    await client.send("PATCH", location, { body: "hello" });
    expect(await staged()).toHaveLength(before + 1);
    expect((await client.send("DELETE", location)).status).toBe(204);
    expect(await staged()).toHaveLength(before);
    expectError(await client.send("DELETE", location), 404, "BLOB_UPLOAD_UNKNOWN");
  });

  test("it belongs to its repository", async () => {
    const location = await start("up/status");
    const other = location.replace("/up/status/", "/up/other/");
    expectError(await client.send("PATCH", other, { body: "x" }), 404, "BLOB_UPLOAD_UNKNOWN");
    expectError(await client.send("PATCH", `${location}0`, { body: "x" }), 404, "BLOB_UPLOAD_UNKNOWN");
    expectError(
      await client.send("GET", "/v2/up/status/blobs/uploads/..%2f..%2fx"),
      404,
      "BLOB_UPLOAD_UNKNOWN",
    );
  });

  test("one that nobody goes on with expires, and its file goes", async () => {
    const location = await start("up/expiry");
    await client.send("PATCH", location, { body: "hello" });
    nowMs += 61_000;
    expectError(await client.send("GET", location), 404, "BLOB_UPLOAD_UNKNOWN");
    const young = await start("up/expiry");
    expect(await staged()).toHaveLength(1);
    expect((await client.send("DELETE", young)).status).toBe(204);
  });
});

describe("a client that goes away", () => {
  const patchHead = (location: string, length: number): string =>
    `PATCH ${location} HTTP/1.1\nHost: test\nContent-Length: ${length}`;

  test("in the middle of a PATCH can go on from where it was", async () => {
    const blob = randomBlob(600_000);
    const location = await start("up/gone");
    await breakOff(client.registry.host, patchHead(location, blob.size), blob.bytes.subarray(0, 200_000));
    const at = await vi.waitFor(async () => {
      const status = await client.send("GET", location);
      expect(status.headers.get("range")).toMatch(/^0-[1-9]/);
      return Number(status.headers.get("range")?.split("-")[1]) + 1;
    });
    expect(at).toBeLessThanOrEqual(200_000);
    const rest = blob.bytes.subarray(at);
    expect((await client.send("PUT", `${location}?digest=${blob.digest}`, { body: rest })).status).toBe(201);
    await expectBlob("up/gone", blob);
  });

  test("in the middle of a PUT or POST leaves nothing visible", async () => {
    const blob = randomBlob(600_000);
    const before = (await staged()).length;
    const location = await start("up/gone");
    for (const target of [`PUT ${location}`, "POST /v2/up/gone/blobs/uploads/"]) {
      const head = `${target}?digest=${blob.digest} HTTP/1.1\nHost: test\nContent-Length: ${blob.size}`;
      await breakOff(client.registry.host, head, blob.bytes.subarray(0, 300_000));
    }
    expect((await client.send("HEAD", `/v2/up/gone/blobs/${blob.digest}`)).status).toBe(404);
    await vi.waitFor(async () => expect((await client.send("DELETE", location)).status).toBe(204));
    await vi.waitFor(async () => expect(await staged()).toHaveLength(before));
    expect(client.registry.events.filter((event) => event.code === "warning")).toEqual([]);
  });
});

describe("end-11: mounting", () => {
  test("a blob of another repository", async () => {
    const blob = randomBlob();
    await pushBlob(client, "up/source", blob);
    const answer = await client.send(
      "POST",
      `/v2/up/target/blobs/uploads/?mount=${blob.digest}&from=up/source`,
    );
    expectCreated(answer, "up/target", blob);
    await expectBlob("up/target", blob);
  });

  test.each(["&from=up/nothing", "", "&from=../x", "&from=UP"])(
    "an upload is begun instead: %s",
    async (from) => {
      const blob = blobOf(`mount${from}`);
      const location = await start("up/target", `?mount=${blob.digest}${from}`);
      expect(
        (await client.send("PUT", `${location}?digest=${blob.digest}`, { body: blob.bytes })).status,
      ).toBe(201);
    },
  );

  test("a bad digest is refused", async () => {
    const answer = await client.send("POST", "/v2/up/target/blobs/uploads/?mount=sha256:0&from=up/source");
    expectError(answer, 400, "DIGEST_INVALID");
  });
});

describe("the limit of a blob", () => {
  const tooMuch = randomBlob(1_000_001);

  test("announced, it is refused before it comes", async () => {
    const path = `/v2/up/limit/blobs/uploads/?digest=${tooMuch.digest}`;
    expectError(await client.send("POST", path, { body: tooMuch.bytes }), 413, "SIZE_INVALID");
  });

  test("in pieces, the one that is too much ends the upload", async () => {
    const location = await start("up/limit");
    expect((await client.send("PATCH", location, { body: tooMuch.bytes.subarray(0, 999_999) })).status).toBe(
      202,
    );
    expectError(await client.send("PATCH", location, { body: "12" }), 413, "SIZE_INVALID");
    expectError(await client.send("GET", location), 404, "BLOB_UPLOAD_UNKNOWN");
  });

  test("one of exactly that size is taken", async () => {
    await pushBlob(client, "up/limit", randomBlob(1_000_000));
  });
});
