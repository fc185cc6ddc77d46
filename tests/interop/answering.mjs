// Questions and answers are lines of JSON; an error that a library raises is an answer too.

import { createInterface } from 'node:readline'

export async function answer(actions) {
  console.log(JSON.stringify({ ready: true }))
  for await (const line of createInterface({ input: process.stdin })) {
    const { action, ...question } = JSON.parse(line)
    let said
    try {
      said = (await actions[action](question)) ?? {}
    } catch (error) {
      said = await describe(error)
    }
    console.log(JSON.stringify(said))
  }
}

async function describe(error) {
  const challenges = Array.isArray(error.cause) ? error.cause : undefined
  return {
    refused: error.constructor.name,
    error: error.error ?? challenges?.[0].parameters.error ?? (await codeIn(error.response)),
    status: error.status,
    why: error.cause?.message ?? error.message,
    challenges,
  }
}

// At a challenge neither library looks into the body.
async function codeIn(response) {
  if (!response || response.bodyUsed) return undefined
  return (await response.json().catch(() => undefined))?.error
}

export function headerOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url'))
}
