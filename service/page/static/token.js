// The key or token of whoever looks: kept in this tab, and sent with each request.

const NAME = "failsoft-token";

export const given = () => sessionStorage.getItem(NAME);
export const keep = (token) => sessionStorage.setItem(NAME, token);
export const forget = () => sessionStorage.removeItem(NAME);

export function headers(others = {}) {
  const token = given();
  return token === null ? others : { ...others, Authorization: `Bearer ${token}` };
}
